# Memory, pipes and queues between processes.
import asyncio, multiprocessing, multiprocessing.shared_memory as sm
def fill(name):
    memory = sm.SharedMemory(name); memory.buf[0] = 42; memory.close()
def echo(conn):
    while True:
        try: conn.send(conn.recv() * 2)
        except EOFError: break
def add(queue, out): out.put(queue.get() + queue.get())
def main():
    memory = sm.SharedMemory(create=True, size=16)
    p = multiprocessing.Process(target=fill, args=(memory.name,)); p.start(); p.join()
    print(memory.buf[0]); memory.close(); memory.unlink()
    a, b = multiprocessing.Pipe()
    p = multiprocessing.Process(target=echo, args=(b,)); p.start(); b.close()
    a.send(21); print(a.recv()); print(a.poll()); a.send(4); print(a.recv())
    p.terminate(); p.join()
    try: a.recv()
    except EOFError: print("EOFError")
    q, out = multiprocessing.Queue(), multiprocessing.Queue()
    p = multiprocessing.Process(target=add, args=(q, out)); p.start(); q.put(1); q.put(2)
    print(out.get()); p.join(); print(out.empty())
if __name__ == "__main__": main()
