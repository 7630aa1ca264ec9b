"""Chapter 7: context variables. Its C++ twin: 07_contextvars.cpp."""
# SPDX-License-Identifier: MIT
import asyncio
import contextvars

# [request]
user = contextvars.ContextVar("user", default="nobody")


def say(text):  # need not be told on whose behalf
    print(f"{user.get()}: {text}")


async def query():
    await asyncio.sleep(0.01)
    say("has an answer")


async def handle(name):
    user.set(name)  # for this task, and what it calls
    say("asks")
    await query()


async def request():
    await asyncio.gather(handle("Ann"), handle("Ben"))
    say("goes on")
# [/request]


# [inherit]
async def take_over():
    say("takes over")
    user.set("somebody else")


async def inherit():
    user.set("Cleo")
    task = asyncio.create_task(take_over())  # gets a copy of what is set now
    user.set("Dora")
    await task
    say("is still Dora")
    await take_over()  # no task, no copy
    say("is not Dora any more")
# [/inherit]


# [reset]
async def reset():
    token = user.set("Eve")
    say("is here")
    user.reset(token)
    say("is back")

    context = contextvars.copy_context()
    context.run(user.set, "Fay")
    print(context[user], "there,", user.get(), "here")
    asyncio.get_running_loop().call_soon(say, "calls back", context=context)
    await asyncio.sleep(0)
# [/reset]


async def main():
    for part in (request, inherit, reset):
        print(f"-- {part.__name__}")
        await asyncio.create_task(part())


asyncio.run(main())
