# Rule: SSLObject and MemoryBIO: what is wanted when, what is pending, sessions, the end, its absence.
# SPDX-License-Identifier: MIT
import ssl
import sys

sys.path.insert(0, "..")
from certificates import client_context, server_context

def attempt(what, f):
    try:
        print(what, f())
    except ssl.SSLError as e:
        print(what, type(e).__name__, e.errno or 1)
    except ValueError as e:
        print(what, repr(e))

class Pair:
    def __init__(self, client, server, session=None):
        self.a, self.b = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(self.a, self.b, server_hostname="localhost", session=session)
        self.server = server.wrap_bio(self.b, self.a, server_side=True)

def talk(version):
    at_client, at_server = client_context(), server_context()
    at_client.maximum_version = version
    pair = Pair(at_client, at_server)
    client, server = pair.client, pair.server
    print(client.version(), client.cipher(), client.server_side, server.server_side, client.server_hostname)
    attempt("early getpeercert", client.getpeercert)
    for turn in range(4):
        attempt("client", client.do_handshake)
        attempt("server", server.do_handshake)
    print(client.version(), server.version(), client.cipher() == server.cipher())
    print(client.session_reused, client.pending(), server.getpeercert())
    attempt("client read", lambda: client.read(10))
    print("client write", client.write(b"x" * 20000))
    print("server read", len(server.read(100)), server.pending(), len(server.read(20000)))
    print("server read", len(server.read(20000)))
    attempt("server read", lambda: server.read(10))
    print("server write", server.write(b"yes"))
    print("client read", client.read().decode())
    session = client.session
    print("session", session is not None, session.has_ticket)
    attempt("client unwrap", client.unwrap)
    attempt("server read", lambda: server.read(10).decode())
    attempt("server unwrap", server.unwrap)
    attempt("client unwrap", client.unwrap)

    again = Pair(at_client, at_server, session)
    for turn in range(4):
        for each in (again.client, again.server):
            try:
                each.do_handshake()
            except ssl.SSLWantReadError:
                pass
    print("again", again.client.session_reused, again.server.session_reused)
    again.b.write_eof()
    attempt("cut off", lambda: again.server.read(10))
    attempt("cut off again", lambda: again.server.read(10))
    attempt("write after the end", lambda: again.b.write(b"x"))

for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
    talk(version)
