"""What one call to a provider costs us: CPU microseconds per call, by client. Run `python
bench/upstream.py`.

Every client talks to the same mock in another process, whose CPU is not counted. Contenders take
turns within a round, and the best of the rounds counts, so that a busy machine disturbs all of them
alike. pyreqwest is measured where it is installed; its own thread counts, because `process_time`
counts the process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import importlib
import ipaddress
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nexus_sdk.drivers.upstream import AsyncUpstream, SyncUpstream
from nexus_sdk.model import Response, Upstream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

reqwest: Any = None
with contextlib.suppress(ImportError):
    reqwest = importlib.import_module("pyreqwest.client")

IN_FLIGHT = 50
CHUNKS = 100
REQUEST = b'{"model":"gpt-4o","messages":[{"role":"user","content":"' + b"hello " * 100 + b'"}]}'
ANSWER = b'{"id":"chatcmpl-1","choices":[{"message":{"content":"' + b"word " * 240 + b'"}}]}'
HEADERS = {
    "authorization": "Bearer sk-0000",
    "content-type": "application/json",
    "accept": "application/json",
}
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


class Mock(asyncio.Protocol):
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
    plain = await loop.create_server(Mock, "127.0.0.1", 0)
    secure = await loop.create_server(Mock, "127.0.0.1", 0, ssl=context)
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
def mock(pem: bytes) -> Iterator[tuple[str, str]]:
    """The base URLs of a mock in its own process, plain and over TLS."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mock.pem")
        path.write_bytes(pem)
        command = [sys.executable, __file__, "--serve", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            plain, secure = process.stdout.readline().split()
            try:
                yield f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{secure}"
            finally:
                process.terminate()


def upstream(base: str, *, stream: bool = False) -> Upstream:
    path = "/stream" if stream else "/v1/chat/completions"
    return Upstream("POST", base + path, HEADERS, REQUEST, stream, private_network=True)


class Opened:
    """An opening that is satisfied at once."""

    def feed(self, data: bytes) -> bool:
        return bool(data)


def ours(base: str, pem: bytes) -> Callable[[], None]:
    client, call = SyncUpstream(roots_pem=pem.decode()), upstream(base)

    def once() -> None:
        reply, _ = client.send(call)
        assert isinstance(reply, Response)
        assert len(reply.body) == len(ANSWER)

    return once


def ours_stream(base: str, pem: bytes) -> Callable[[], None]:
    client, call = SyncUpstream(roots_pem=pem.decode()), upstream(base, stream=True)

    def once() -> None:
        _, body = client.send(call, Opened())
        assert body is not None
        while body.read():
            pass

    return once


def httpx_family(module: Any) -> Callable[[str, bytes], Callable[[], None]]:
    def make(base: str, pem: bytes) -> Callable[[], None]:
        client = module.Client(verify=ssl.create_default_context(cadata=pem.decode()))

        def once() -> None:
            reply = client.post(base + "/v1/chat/completions", headers=HEADERS, content=REQUEST)
            assert len(reply.content) == len(ANSWER)

        return once

    return make


def httpx_family_stream(module: Any) -> Callable[[str, bytes], Callable[[], None]]:
    def make(base: str, pem: bytes) -> Callable[[], None]:
        client = module.Client(verify=ssl.create_default_context(cadata=pem.decode()))

        def once() -> None:
            with client.stream("POST", base + "/stream", headers=HEADERS, content=REQUEST) as reply:
                for _ in reply.iter_raw():
                    pass

        return once

    return make


def pyreqwest_sync(base: str, pem: bytes) -> Callable[[], None]:
    client = reqwest.SyncClientBuilder().add_root_certificate_pem(pem).build()

    def once() -> None:
        request = client.post(base + "/v1/chat/completions").headers(HEADERS).body_bytes(REQUEST)
        assert len(request.build().send().bytes()) == len(ANSWER)

    return once


def pyreqwest_stream(base: str, pem: bytes) -> Callable[[], None]:
    client = reqwest.SyncClientBuilder().add_root_certificate_pem(pem).build()

    def once() -> None:
        request = client.post(base + "/stream").headers(HEADERS).body_bytes(REQUEST)
        with request.streamed_read_buffer_limit(0).build_streamed() as reply:
            while reply.body_reader.read_chunk():
                pass

    return once


def async_ours(base: str, pem: bytes) -> Callable[[], Awaitable[None]]:
    client, call = AsyncUpstream(roots_pem=pem.decode()), upstream(base)

    async def once() -> None:
        reply, _ = await client.send(call)
        assert isinstance(reply, Response)
        assert len(reply.body) == len(ANSWER)

    return once


def async_ours_stream(base: str, pem: bytes) -> Callable[[], Awaitable[None]]:
    client, call = AsyncUpstream(roots_pem=pem.decode()), upstream(base, stream=True)

    async def once() -> None:
        _, body = await client.send(call, Opened())
        assert body is not None
        while await body.read():
            pass

    return once


def async_httpx_family(module: Any) -> Callable[[str, bytes], Callable[[], Awaitable[None]]]:
    def make(base: str, pem: bytes) -> Callable[[], Awaitable[None]]:
        limits = module.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
        trust = ssl.create_default_context(cadata=pem.decode())
        client = module.AsyncClient(verify=trust, limits=limits)
        url = base + "/v1/chat/completions"

        async def once() -> None:
            reply = await client.post(url, headers=HEADERS, content=REQUEST)
            assert len(reply.content) == len(ANSWER)

        return once

    return make


def async_pyreqwest(base: str, pem: bytes) -> Callable[[], Awaitable[None]]:
    client = reqwest.ClientBuilder().add_root_certificate_pem(pem).build()

    async def once() -> None:
        request = client.post(base + "/v1/chat/completions").headers(HEADERS).body_bytes(REQUEST)
        assert len(await (await request.build().send()).bytes()) == len(ANSWER)

    return once


def measure(once: Callable[[], None], count: int) -> Callable[[], float]:
    """CPU seconds for one of `count` calls."""

    def run() -> float:
        began = time.process_time()
        for _ in range(count):
            once()
        return (time.process_time() - began) / count

    return run


def ameasure(
    runner: asyncio.Runner, once: Callable[[], Awaitable[None]], count: int, in_flight: int
) -> Callable[[], float]:
    async def worker() -> None:
        for _ in range(count // in_flight):
            await once()

    async def batch() -> float:
        began = time.process_time()
        async with asyncio.TaskGroup() as group:
            for _ in range(in_flight):
                group.create_task(worker())
        return (time.process_time() - began) / count

    return lambda: runner.run(batch())


def contenders(
    base: str, pem: bytes, runner: asyncio.Runner, calls: int
) -> dict[str, Callable[[], float]]:
    few = max(calls // 20, 5)
    rows: dict[str, Callable[[], float]] = {
        "sync, nexus": measure(ours(base, pem), calls),
        "sync, httpx": measure(httpx_family(httpx)(base, pem), calls // 4),
        "sync, httpx2": measure(httpx_family(httpx2)(base, pem), calls // 4),
        "async, nexus": ameasure(runner, async_ours(base, pem), calls, IN_FLIGHT),
        "async, httpx": ameasure(
            runner, async_httpx_family(httpx)(base, pem), calls // 4, IN_FLIGHT
        ),
        "async, httpx2": ameasure(
            runner, async_httpx_family(httpx2)(base, pem), calls // 4, IN_FLIGHT
        ),
        "stream, nexus sync": measure(ours_stream(base, pem), few),
        "stream, nexus async": ameasure(runner, async_ours_stream(base, pem), few, 1),
        "stream, httpx": measure(httpx_family_stream(httpx)(base, pem), few),
        "stream, httpx2": measure(httpx_family_stream(httpx2)(base, pem), few),
    }
    if reqwest is not None:
        rows["sync, pyreqwest"] = measure(pyreqwest_sync(base, pem), calls)
        rows["async, pyreqwest"] = ameasure(runner, async_pyreqwest(base, pem), calls, IN_FLIGHT)
        rows["stream, pyreqwest"] = measure(pyreqwest_stream(base, pem), few)
    return rows


def best(rows: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Microseconds; the first round warms up and does not count."""
    found: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(rounds + 1):
        for name, run in rows.items():
            found[name].append(run() * 1e6)
    return {name: min(times[1:]) for name, times in found.items()}


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if name == "uvloop":
        import uvloop

        return uvloop.new_event_loop
    return asyncio.new_event_loop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", metavar="PEM", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1000, help="calls of a round")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    arguments = parser.parse_args()
    if arguments.serve:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve(arguments.serve))
        return
    chain, pem = certificates()
    with (
        mock(chain) as (plain, secure),
        asyncio.Runner(loop_factory=loop_factory(arguments.loop)) as runner,
    ):
        columns = {
            "plain": best(contenders(plain, pem, runner, arguments.calls), arguments.rounds),
            "TLS": best(contenders(secure, pem, runner, arguments.calls), arguments.rounds),
        }
    print(
        f"CPU us per call; async: {IN_FLIGHT} in flight, {arguments.loop}; {CHUNKS} chunks a stream"
    )
    print(f"{'':24}{'plain':>10}{'TLS':>10}")
    for name in sorted(columns["plain"]):
        print(f"{name:24}{columns['plain'][name]:10.0f}{columns['TLS'][name]:10.0f}")


if __name__ == "__main__":
    main()
