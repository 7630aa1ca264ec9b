# A pool of processes: results of calls in order, whatever they are called with.
import asyncio, concurrent.futures
def square(x): return x * x
def join(sep, parts): return sep.join(parts)
def none(x): pass
async def main():
    loop = asyncio.get_running_loop()
    with concurrent.futures.ProcessPoolExecutor(max_workers=2) as pool:
        print(await loop.run_in_executor(pool, square, 7))
        print(await loop.run_in_executor(pool, join, "-", ["a", "b", "c"]))
        print(await loop.run_in_executor(pool, none, 1))
        futures = [loop.run_in_executor(pool, square, i) for i in range(5)]
        print(*await asyncio.gather(*futures))
        print(pool.submit(square, 9).result())
        print(*pool.map(square, range(6), chunksize=2))
        print(*pool.map(pow, [2, 3, 4], [5, 2, 1, 9]))
    try: pool.submit(square, 1)
    except RuntimeError as e: print(e)
if __name__ == "__main__": asyncio.run(main())
