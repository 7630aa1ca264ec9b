# Rule: stop() lets the batch finish, what the batch scheduled runs at the next run; stop() first gives one iteration.
# SPDX-License-Identifier: MIT
import asyncio

async def value():
    await asyncio.sleep(0)
    return "value"

loop = asyncio.EventLoop()
print(loop.is_running(), loop.is_closed())
loop.call_soon(lambda: print("one", loop.is_running()))
loop.call_soon(loop.stop)
loop.call_soon(lambda: print("two, after stop()"))
loop.call_soon(lambda: loop.call_soon(lambda: print("scheduled by the batch")))
loop.run_forever()
print("first run ended", loop.is_running())

loop.call_soon(lambda: print("before the second run"))
loop.stop()
loop.run_forever()
print("second run ended")

loop.call_soon(lambda: loop.call_soon(lambda: print("only in the next run")))
loop.call_later(-1, lambda: print("a due timer is part of the one iteration"))
distant = loop.call_later(60, lambda: print("never"))
loop.stop()
loop.stop()
loop.run_forever()
print("third run ended")

print(loop.run_until_complete(value()))
loop.call_later(0.02, loop.stop)
loop.run_forever()
distant.cancel()
loop.close()
loop.close()
print("closed", loop.is_closed())
