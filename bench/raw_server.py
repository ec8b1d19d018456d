"""A server that only answers, plain and over TLS: what the upstream client is measured against.

`python -m bench.raw_server PEM_FILE` prints the ports of both.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.servers import announced

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNKS = 100
ANSWER = b'{"id":"chatcmpl-1","choices":[{"message":{"content":"' + b"word " * 240 + b'"}}]}'
EVENT = b'data: {"id":"chatcmpl-1","choices":[{"delta":{"content":"word "}}]}\n\n'
WHOLE_HEAD = (
    "HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-type: application/json\r\n"
    "x-request-id: req_0123456789\r\nx-ratelimit-remaining-requests: 9999\r\nserver: mock\r\n"
    f"content-length: {len(ANSWER)}\r\n\r\n"
).encode()
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


_OTHERS = "content_commitment key_encipherment data_encipherment key_agreement crl_sign"
_NO_USES = dict.fromkeys([*_OTHERS.split(), "encipher_only", "decipher_only"], False)
SIGNS = x509.KeyUsage(digital_signature=True, key_cert_sign=True, **_NO_USES)
SPEAKS = x509.KeyUsage(digital_signature=True, key_cert_sign=False, **_NO_USES)


class Raw(asyncio.Protocol):
    """Answers `/stream` with events, one a loop turn, and every other path with one body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, found, body = self.data.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if len(body) < int(length or 0):
            return
        self.data = b""
        if b" /stream " in head:
            self.transport.write(STREAM_HEAD)
            self.event(CHUNKS)
        else:
            self.transport.write(WHOLE_HEAD + ANSWER)

    def event(self, left: int) -> None:
        if not left:
            self.transport.write(b"0\r\n\r\n")
            return
        self.transport.write(b"%x\r\n%b\r\n" % (len(EVENT), EVENT))
        asyncio.get_running_loop().call_soon(self.event, left - 1)


async def serve(certificate: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    plain = await loop.create_server(Raw, "127.0.0.1", 0)
    secure = await loop.create_server(Raw, "127.0.0.1", 0, ssl=context)
    print(plain.sockets[0].getsockname()[1], secure.sockets[0].getsockname()[1], flush=True)
    await plain.serve_forever()


def certificates() -> tuple[bytes, bytes]:
    """A server's key and certificate for 127.0.0.1, and the root that signed it, as PEM."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate("root", root_key, root_key, ca=True)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + _certificate("mock", key, root_key, ca=False), root


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, *, ca: bool
) -> bytes:
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    own = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")]))
        .public_key(key.public_key())
        .serial_number(1 + ca)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=3650))
        .add_extension(own, critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer, critical=False)
        .add_extension(SIGNS if ca else SPEAKS, critical=True)
        .sign(signer, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


@contextlib.contextmanager
def raw_server(pem: bytes) -> Iterator[tuple[str, str]]:
    """Its base URLs, plain and over TLS."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "chain.pem")
        path.write_bytes(pem)
        with announced("-m", "bench.raw_server", str(path)) as (_, (plain, secure)):
            yield f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{secure}"


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(sys.argv[1]))
