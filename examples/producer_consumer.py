"""Two producers and three consumers on a bounded queue. Its C++ twin: producer_consumer.cpp."""
# SPDX-License-Identifier: MIT
import asyncio


async def bake(shelf, grain, loaves):
    for loaf in range(1, loaves + 1):
        name = f"{grain} {loaf}"
        await shelf.put(name)
        print(f"{name} is on the shelf")


async def eat(shelf, who):
    eaten = 0
    try:
        while True:
            loaf = await shelf.get()
            print(f"{who} eats {loaf}")
            await asyncio.sleep(0)  # chewing: the others get their turn
            eaten += 1
    except asyncio.QueueShutDown:
        pass  # no more bread
    return eaten


async def main():
    shelf = asyncio.Queue(2)
    eaters = [asyncio.create_task(eat(shelf, name)) for name in ("Ann", "Ben", "Cleo")]
    await asyncio.gather(bake(shelf, "rye", 4), bake(shelf, "wheat", 3))
    shelf.shutdown()

    eaten = await asyncio.gather(*eaters)
    print("eaten:", " + ".join(map(str, eaten)))


asyncio.run(main())
