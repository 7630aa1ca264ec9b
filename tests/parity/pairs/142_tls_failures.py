# Rule: what goes wrong with TLS, in which words: names, certificates, no TLS, silence, the end, options.
# SPDX-License-Identifier: MIT
import asyncio
import re
import ssl
import sys

sys.path.insert(0, "..")
from certificates import client_context, server_context

def show(what, e):
    if what in ("side", "leave"):  # the same words, or none
        print(what, type(e).__name__)
        return
    print(what, re.sub(r" \(_ssl\.c:\d+\)", "", repr(e)))

async def attempt(what, *args, **kwargs):
    try:
        reader, writer = await asyncio.open_connection(*args, **kwargs)
    except Exception as e:
        show(what, e)
    else:
        print(what, "opened")
        writer.close()
        try:
            await writer.wait_closed()
        except Exception as e:
            print("lost")

async def idle(reader, writer):
    await reader.read()
    writer.close()

async def greet(reader, writer):
    writer.write(b"220 no TLS in here\r\n")
    await reader.read(1)
    writer.close()

async def leave(reader, writer):
    await reader.read(1)
    writer.close()

async def main():
    server = await asyncio.start_server(idle, "127.0.0.1", 0, ssl=server_context())
    port = server.sockets[0].getsockname()[1]
    good = client_context()
    await attempt("good", "127.0.0.1", port, ssl=good)
    await attempt("name", "127.0.0.1", port, ssl=good, server_hostname="example.org")
    await attempt("address", "127.0.0.1", port, ssl=good, server_hostname="127.0.0.2")
    strangers = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    await attempt("unknown authority", "127.0.0.1", port, ssl=strangers)
    strangers.check_hostname = False
    await attempt("unknown authority, any name", "127.0.0.1", port, ssl=strangers)
    try:
        good.verify_mode = ssl.CERT_NONE
    except ValueError as e:
        show("one step", e)
    strangers.verify_mode = ssl.CERT_NONE
    await attempt("nothing checked", "127.0.0.1", port, ssl=strangers)
    await attempt("side", "127.0.0.1", port, ssl=server_context(), server_hostname="localhost")

    for handler in (greet, leave):
        plain = await asyncio.start_server(handler, "127.0.0.1", 0)
        await attempt(handler.__name__, "127.0.0.1", plain.sockets[0].getsockname()[1], ssl=good)
        plain.close()
    silent = await asyncio.start_server(idle, "127.0.0.1", 0)
    await attempt("silent", "127.0.0.1", silent.sockets[0].getsockname()[1], ssl=good,
                  ssl_handshake_timeout=0.25)

    await attempt("a", "127.0.0.1", port, server_hostname="x")
    await attempt("b", "127.0.0.1", port, ssl_handshake_timeout=1)
    await attempt("c", "127.0.0.1", port, ssl_shutdown_timeout=1)
    for each in (server, silent):
        each.close()

asyncio.run(main())
