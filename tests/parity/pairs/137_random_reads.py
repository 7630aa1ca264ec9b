# Rule: StreamReader: what readuntil, readline, read, readexactly give, and leave, however the bytes come.
# SPDX-License-Identifier: MIT
import asyncio

class Random:
    def __init__(self, seed):
        self.state = seed * 2654435761 % 2**32
    def __call__(self, n):
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return (self.state >> 16) % n

SEPARATORS = [[b"\n"], [b"ab"], [b"a", b"ba"], [b"ba", b"b\n", b"a"], [b"aab", b"ab"], [b"\n\n", b"\nb"], [b"abab", b"b"]]

async def operate(reader, random, label):
    kind = random(6)
    try:
        if kind == 0:
            n = random(6)
            print(label, "read", n, end=" ")
            got = await reader.read(n)
        elif kind == 1:
            n = random(7)
            print(label, "readexactly", n, end=" ")
            got = await reader.readexactly(n)
        elif kind == 2:
            print(label, "readline", end=" ")
            got = await reader.readline()
        else:
            which = random(len(SEPARATORS))
            separators = SEPARATORS[which]
            print(label, "readuntil", which, end=" ")
            got = await reader.readuntil(separators[0] if len(separators) == 1 else tuple(separators))
        print(got)
    except asyncio.IncompleteReadError as e:
        print("incomplete", e.partial, e.expected)
    except asyncio.LimitOverrunError as e:
        print(repr(e), e.consumed)
        if random(2):
            await reader.readexactly(e.consumed)
    except ValueError as e:
        print(repr(e))

async def program(seed):
    random = Random(seed)
    limit = 1 + random(8)
    reader = asyncio.StreamReader(limit=limit)
    print("--", seed, "limit", limit)
    for step in range(8):
        for _ in range(random(3)):
            reader.feed_data(bytes(b"aab\nb"[random(5)] for _ in range(random(6))))
        task = asyncio.create_task(operate(reader, random, step))
        turns = 0
        while not task.done():
            await asyncio.sleep(0)
            if task.done():
                break
            turns += 1
            if turns == 4 and random(3) == 0:
                print("cancelled", end=" ")
                task.cancel()
                try:
                    await task
                except asyncio.CancelledError:
                    print()
                break
            reader.feed_data(bytes(b"aab\nb"[random(5)] for _ in range(random(4))))
    reader.feed_eof()
    while not reader.at_eof():
        await operate(reader, random, "end")

async def main():
    for seed in range(1, 80):
        await program(seed)

asyncio.run(main())
