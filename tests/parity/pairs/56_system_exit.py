# Rule: SystemExit and KeyboardInterrupt leave the loop at once, in the middle of the batch; the rest runs when it goes on.
# SPDX-License-Identifier: MIT
import asyncio

async def leaves(error):
    print("raises")
    raise error

loop = asyncio.EventLoop()
def bad():
    raise SystemExit()
loop.call_soon(lambda: print("before"))
loop.call_soon(bad)
loop.call_soon(lambda: print("rest of the batch"))
try:
    loop.run_forever()
except SystemExit:
    print("SystemExit left run_forever")
loop.call_soon(loop.stop)
loop.run_forever()

task = None
def begin():
    global task
    task = asyncio.create_task(leaves(KeyboardInterrupt()))
    loop.call_soon(lambda: print("after the task"))
loop.call_soon(begin)
try:
    loop.run_forever()
except KeyboardInterrupt:
    print("KeyboardInterrupt left run_forever", task.done(), task.cancelled())
try:
    task.result()
except KeyboardInterrupt:
    print("and the task has it")
loop.call_soon(loop.stop)
loop.run_forever()
loop.close()
