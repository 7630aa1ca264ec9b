# A process that dies breaks the pool; a call that is cancelled before it begins is never made.
import asyncio, concurrent.futures, os
from concurrent.futures.process import BrokenProcessPool
def die(): os._exit(3)
def nothing(): return 1
async def main():
    loop = asyncio.get_running_loop()
    pool = concurrent.futures.ProcessPoolExecutor(1)
    try: await loop.run_in_executor(pool, die)
    except BrokenProcessPool as e: print("BrokenProcessPool", isinstance(e, RuntimeError))
    try: pool.submit(nothing)
    except BrokenProcessPool: print("still broken")
    pool.shutdown()
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        future = pool.submit(nothing)
        print(future.result(), future.done(), future.cancel(), future.cancelled())
    pool = concurrent.futures.ProcessPoolExecutor(1)
    pool.shutdown(wait=True, cancel_futures=True)
    try: pool.submit(nothing)
    except RuntimeError as e: print(e)
if __name__ == "__main__": asyncio.run(main())
