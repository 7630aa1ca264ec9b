# Rule: an iteration runs what was ready when it began, then what its poll found; what those schedule waits for the next.
# SPDX-License-Identifier: MIT
import asyncio

def chain(name, depth):
    print(name, depth)
    if depth:
        asyncio.get_running_loop().call_soon(chain, name, depth - 1)

async def main():
    loop = asyncio.get_running_loop()
    loop.call_soon(chain, "a", 3)
    loop.call_later(-1, chain, "timer", 2)
    loop.call_soon(chain, "b", 1)
    for i in range(5):
        await asyncio.sleep(0)
        print("main", i)

asyncio.run(main())
