# Rule: a group takes no child before it is entered, once it is aborting or finished; it does while it waits for its children.
# SPDX-License-Identifier: MIT
import asyncio

async def fail(name):
    await asyncio.sleep(0)
    raise RuntimeError(name)

async def child(name):
    try:
        await asyncio.sleep(0)
        print(name, "ends")
    except asyncio.CancelledError as error:
        print(name, repr(error))
        raise

def attempt(what, group):
    try:
        group.create_task(child("never"))
        print(what, "accepted")
    except RuntimeError as error:
        text = str(error)
        for reason in ("has not been entered", "is shutting down", "is finished"):
            if reason in text:
                print(what, reason)

async def grandparent(group):
    await asyncio.sleep(0.02)
    group.create_task(child("made while the group waits"))

async def lingers(group):
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError as error:
        print("lingers", repr(error))
        attempt("child of an aborting group:", group)
        await asyncio.sleep(0.02)
        attempt("later child of an aborting group:", group)
        raise

async def main():
    group = asyncio.TaskGroup()
    attempt("new:", group)
    async with group:
        group.create_task(grandparent(group))
    attempt("finished:", group)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail("bad"))
            group.create_task(lingers(group))
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError as error:
                print("body", repr(error), asyncio.current_task().cancelling())
                attempt("body of an aborting group:", group)
                raise
    except ExceptionGroup as error:
        print(repr(error), asyncio.current_task().cancelling())
    attempt("failed:", group)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail("swallowed in the body"))
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                print("the body goes on")
            attempt("still aborting:", group)
    except ExceptionGroup as error:
        print(repr(error), asyncio.current_task().cancelling())

asyncio.run(main())
