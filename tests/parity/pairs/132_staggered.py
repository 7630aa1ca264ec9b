# Rule: when the attempts of a staggered race begin, who wins, and what the others get.
# SPDX-License-Identifier: MIT
import asyncio
from asyncio.staggered import staggered_race

def attempt(name, delay, error=None):
    async def run():
        print("begin", name)
        try:
            await asyncio.sleep(delay)
        except asyncio.CancelledError:
            print("cancelled", name)
            raise
        print("end", name)
        if error:
            raise RuntimeError(name)
        return name
    return run

def show(result):
    winner, index, exceptions = result
    print("winner", winner, index, [repr(exception) for exception in exceptions])

async def main():
    show(await staggered_race([], 0.01))
    show(await staggered_race([attempt("a", 0), attempt("b", 0)], 0.01))
    show(await staggered_race([attempt("a", 0.01, True), attempt("b", 0.01)], 1))
    show(await staggered_race([attempt("a", 0.3), attempt("b", 0.3), attempt("c", 0.01)], 0.05))
    show(await staggered_race([attempt("a", 0.3, True), attempt("b", 0, True)], None))
    show(await staggered_race([attempt("a", 0, True), attempt("b", 0.2), attempt("c", 0)], 0.05))

    task = asyncio.create_task(staggered_race([attempt("a", 1), attempt("b", 1)], 0.02))
    await asyncio.sleep(0.05)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled")
    await asyncio.sleep(0.01)

asyncio.run(main())
