# What a call in a process throws is thrown where it is awaited; the pool goes on.
import asyncio, concurrent.futures
def bad(which):
    if which == 0: raise ValueError("no")
    if which == 1: raise RuntimeError("broken")
    if which == 2: raise FileNotFoundError(2, "gone")
    if which == 3: raise asyncio.QueueEmpty
    return which
async def main():
    loop = asyncio.get_running_loop()
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        for i in range(5):
            try: print(await loop.run_in_executor(pool, bad, i))
            except ValueError as e: print("ValueError", e)
            except RuntimeError as e: print("RuntimeError", e)
            except OSError as e: print("OSError", e.errno, isinstance(e, FileNotFoundError))
            except asyncio.QueueEmpty: print("QueueEmpty")
        r = await asyncio.gather(*(loop.run_in_executor(pool, bad, i) for i in (4, 0)), return_exceptions=True)
        print(r[0], repr(r[1]))
        results = pool.map(bad, [7, 0, 8])
        print(next(results))
        try: next(results)
        except ValueError as e: print("ValueError", e)
if __name__ == "__main__": asyncio.run(main())
