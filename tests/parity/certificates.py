# What certificates.hpp of the C++ tests makes: an authority, and a server's certificate for localhost
# and 127.0.0.1 that it has signed; here by the program openssl, for as long as this process lives.
# SPDX-License-Identifier: MIT
import pathlib
import ssl
import subprocess
import tempfile

_folder = tempfile.TemporaryDirectory()
_path = pathlib.Path(_folder.name)
_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def _openssl(*arguments):
    subprocess.run(["openssl", *arguments], cwd=_path, check=True, capture_output=True)


_openssl("req", "-x509", *_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "1", "-subj",
         "/CN=test authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
(_path / "ext").write_text("basicConstraints=critical,CA:FALSE\nauthorityKeyIdentifier=keyid\n"
                           "keyUsage=critical,digitalSignature\n"
                           "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
_openssl("req", *_KEY, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
_openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
         "-CAcreateserial", "-days", "1", "-extfile", "ext", "-out", "server.pem")


def server_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_path / "server.pem", _path / "server.key")
    return context


def client_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(_path / "ca.pem")
    return context
