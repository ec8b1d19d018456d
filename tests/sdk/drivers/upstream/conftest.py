"""Real servers on loopback, a thread for each connection, and both colours of the client behind one
face."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nexus_sdk.drivers.upstream import AsyncUpstream, SyncUpstream
from nexus_sdk.model import Upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nexus_sdk.drivers.upstream import AsyncBody, SyncBody
    from nexus_sdk.effects import Opening
    from nexus_sdk.model import Failure, Response

PATIENCE_S = 10.0


class Peer:
    """The server's end of one connection. `number` counts the connections of its server from 0."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock = sock
        self.number = number
        self.sock.settimeout(PATIENCE_S)

    def hear(self) -> bytes:
        """One request, head and body; b"" when the client has closed."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.sock.recv(65536)
            if not more:
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = head.lower().partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
        while len(body) < int(length or 0):
            body += self.sock.recv(65536)
        return head + b"\r\n\r\n" + body

    def say(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self, body: bytes = b"ok", *headers: str, status: str = "200 OK") -> None:
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
        self.say("\r\n".join(lines).encode("latin-1") + body)

    def start_stream(self, *headers: str) -> None:
        lines = ["HTTP/1.1 200 OK", "content-type: text/event-stream", *headers]
        self.say("\r\n".join([*lines, "transfer-encoding: chunked", "", ""]).encode())

    def chunk(self, data: bytes) -> None:
        self.say(b"%x\r\n%b\r\n" % (len(data), data))

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def wait_gone(self) -> float:
        """Until the client has closed; the time of it on `time.monotonic`."""
        with contextlib.suppress(ConnectionError):
            while self.sock.recv(65536):
                pass
        return time.monotonic()


@dataclass
class Served:
    port: int
    accepted: list[Peer] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)


type Handler = Callable[[Peer], object]


class Server:
    """Runs `handler` for every connection; leaving the context ends all and raises what a handler
    raised."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.served = Served(self._listener.getsockname()[1])
        self._run(self._accept)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self.served.accepted:
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        for peer in self.served.accepted:
            peer.sock.close()
        for fault in self.served.faults:
            raise fault

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            peer = Peer(sock, len(self.served.accepted))
            self.served.accepted.append(peer)
            self._run(self._serve, peer)

    def _serve(self, peer: Peer) -> None:
        try:
            self._handler(peer)
        except OSError:
            pass
        except BaseException as fault:  # noqa: BLE001  shown by `close`
            self.served.faults.append(fault)

    def _run(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], Served]]:
    """Start a server: `serve(handler)`."""
    servers: list[Server] = []

    def start(handler: Handler) -> Served:
        servers.append(Server(handler))
        return servers[-1].served

    yield start
    for server in servers:
        server.close()


class Side(Protocol):
    """One colour of the client."""

    def send(
        self, upstream: Upstream, opening: Opening | None = None
    ) -> tuple[Response | Failure, SyncBody | AsyncBody | None]: ...

    def read(self, body: SyncBody | AsyncBody | None) -> bytes: ...

    def close(self, body: SyncBody | AsyncBody | None) -> None: ...


class SyncSide:
    def __init__(self, **arguments: Any) -> None:
        self.client = SyncUpstream(**arguments)

    def send(self, upstream: Upstream, opening: Opening | None = None) -> Any:
        return self.client.send(upstream, opening)

    def read(self, body: Any) -> bytes:
        data: bytes = body.read()
        return data

    def close(self, body: Any) -> None:
        body.close()

    def end(self) -> None:
        self.client.close()


class AsyncSide:
    def __init__(self, **arguments: Any) -> None:
        self.client = AsyncUpstream(**arguments)
        self.runner = asyncio.Runner()

    def send(self, upstream: Upstream, opening: Opening | None = None) -> Any:
        return self.runner.run(self.client.send(upstream, opening))

    def read(self, body: Any) -> bytes:
        data: bytes = self.runner.run(body.read())
        return data

    def close(self, body: Any) -> None:
        self.runner.run(body.close())

    def end(self) -> None:
        self.runner.close()


@pytest.fixture(params=[SyncSide, AsyncSide], ids=["sync", "async"])
def make_side(request: pytest.FixtureRequest) -> Iterator[Callable[..., Side]]:
    """Make a client, sync and async in turn."""
    made: list[SyncSide | AsyncSide] = []

    def make(**arguments: Any) -> Side:
        made.append(request.param(**arguments))
        return made[-1]

    yield make
    for side in made:
        side.end()


@pytest.fixture
def side(make_side: Callable[..., Side]) -> Side:
    return make_side()


CALL = Upstream(
    method="POST",
    url="",
    headers={"authorization": "Bearer sk-CANARY", "content-type": "application/json"},
    body=b'{"prompt":"CANARY"}',
    stream=False,
    private_network=True,
    connect_s=5.0,
    read_s=5.0,
    total_s=5.0,
)


@pytest.fixture
def to() -> Callable[..., Upstream]:
    """An exchange with a server of ours: `to(served, stream=True)`."""

    def make(served: Served, path: str = "/v1/chat?key=CANARY", **changes: Any) -> Upstream:
        scheme = changes.pop("scheme", "http")
        return replace(CALL, url=f"{scheme}://127.0.0.1:{served.port}{path}", **changes)

    return make


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Wait for something that another thread does."""

    def wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.001)

    return wait


START = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
FOREVER = dt.datetime(2124, 1, 1, tzinfo=dt.UTC)
EXPIRED = dt.datetime(2025, 1, 2, tzinfo=dt.UTC)


class Authority:
    """A root that signs certificates for tests."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.pem = self._make("root", self._key, "0.0.0.0", FOREVER, ca=True).decode()

    def issue(
        self, folder: Path, address: str = "127.0.0.1", *, expired: bool = False
    ) -> ssl.SSLContext:
        """A server's context with a certificate for `address`."""
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path = folder / "server.pem"
        path.write_bytes(
            private + self._make("server", key, address, EXPIRED if expired else FOREVER, ca=False)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _make(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        address: str,
        until: dt.datetime,
        *,
        ca: bool,
    ) -> bytes:
        others = "content_commitment key_encipherment data_encipherment key_agreement crl_sign"
        uses = dict.fromkeys([*others.split(), "encipher_only", "decipher_only"], False)
        signer = self._key.public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(START)
            .not_valid_after(until)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False
            )
            .add_extension(
                x509.KeyUsage(digital_signature=True, key_cert_sign=ca, **uses), critical=True
            )
        )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    @staticmethod
    def over_tls(context: ssl.SSLContext, handler: Callable[[Any], None]) -> Callable[[Any], None]:
        def secured(peer: Any) -> None:
            peer.sock = context.wrap_socket(peer.sock, server_side=True)
            handler(peer)

        return secured


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()
