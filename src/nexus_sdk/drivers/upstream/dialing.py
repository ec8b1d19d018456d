"""A new connection: resolve the name, judge every address, connect to a judged one, then the tunnel
and TLS.

The name is not looked at again after the judgement (the gap that DNS rebinding lives in), except as
the name that the peer's certificate must carry.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nexus_sdk.drivers.addresses import parse_address, refusal
from nexus_sdk.drivers.upstream.failures import (
    Garbled,
    Late,
    Refused,
    Trouble,
    Unreachable,
    Untrusted,
    explain,
)
from nexus_sdk.drivers.upstream.http1 import Reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nexus_sdk.drivers.upstream.lanes import Desk, Lane
    from nexus_sdk.drivers.upstream.origin import Origin
    from nexus_sdk.drivers.upstream.proxies import Proxy
    from nexus_sdk.drivers.upstream.wire import Wire

MAX_ADDRESSES = 4
"""Addresses of one name that are tried in turn."""


class Allowance:
    """The time for one connection, from name to handshake: `connect_s` in all."""

    def __init__(self, connect_s: float | None) -> None:
        self._until = None if connect_s is None else time.monotonic() + connect_s

    def share(self, parts: int = 1) -> float | None:
        """An equal part of what is left, in seconds. Raises TimeoutError when nothing is."""
        if self._until is None:
            return None
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left / parts


async def dial(desk: Desk, lane: Lane, connect_s: float | None) -> Wire:
    """A connection that is ready for a request on `lane`. Raises Trouble."""
    allowance = Allowance(connect_s)
    origin, proxy = lane.origin, lane.proxy
    try:
        if proxy is None:
            found = await _judged(desk, origin, allowance, private_network=lane.private_network)
            wire = await _first(desk, found, origin, allowance)
        else:
            _judge_literal(origin, private_network=lane.private_network)
            wire = await _first(
                desk, await _resolve(desk, proxy.origin, allowance), proxy.origin, allowance
            )
        try:
            if origin.tls:
                await _protect(desk, wire, lane, allowance)
        except BaseException:
            wire.close()
            raise
    except TimeoutError:
        raise Late(
            f"connecting to {origin.peer} took longer than the {connect_s:g} s allowed"
        ) from None
    return wire


async def _resolve(desk: Desk, origin: Origin, allowance: Allowance) -> Sequence[str]:
    """The addresses of `origin`, remembered for a while. When the resolver fails, its last answer
    holds."""
    if origin.address is not None:
        return (origin.host,)
    known = desk.surroundings
    if found := known.recall(origin.host, origin.port):
        return found
    try:
        fresh = await desk.net.lookup(origin.host, origin.port, allowance.share())
    except OSError as err:
        if found := known.recall(origin.host, origin.port, stale=True):
            return found
        if isinstance(err, TimeoutError):
            raise
        raise Unreachable(f"the name of {origin.peer} could not be resolved") from None
    known.remember(origin.host, origin.port, fresh)
    return fresh


async def _judged(
    desk: Desk, origin: Origin, allowance: Allowance, *, private_network: bool
) -> Sequence[str]:
    """All addresses of `origin`, or Refused when one of them may not be called: a name with one
    public and one private address is an attempt to get past this."""
    _judge_literal(origin, private_network=private_network)
    found = await _resolve(desk, origin, allowance)
    for text in found:
        if what := refusal(parse_address(text), private_network=private_network):
            raise Refused(_refused(origin, what, private_network=private_network))
    if not found:
        raise Unreachable(f"the name of {origin.peer} has no address")
    return found[:MAX_ADDRESSES]


def _judge_literal(origin: Origin, *, private_network: bool) -> None:
    """What is left of the judgement when a proxy resolves names."""
    if origin.address is not None and (
        what := refusal(origin.address, private_network=private_network)
    ):
        raise Refused(_refused(origin, what, private_network=private_network))


def _refused(origin: Origin, what: str, *, private_network: bool) -> str:
    advice = "" if private_network else "; a provider on a private network needs `private_network`"
    return f"{origin.peer} may not be called, because its address is {what}{advice}"


async def _first(desk: Desk, found: Sequence[str], origin: Origin, allowance: Allowance) -> Wire:
    """A connection to the first address that takes one. Raises TimeoutError, Unreachable."""
    last: OSError = OSError("no address")
    for tried, address in enumerate(found):
        try:
            return await desk.net.connect(address, origin.port, allowance.share(len(found) - tried))
        except OSError as err:
            last = err
    if isinstance(last, TimeoutError):
        raise last
    raise Unreachable(explain(last, origin.peer).reason)


async def _protect(desk: Desk, wire: Wire, lane: Lane, allowance: Allowance) -> None:
    """The tunnel where there is a proxy, then TLS."""
    if lane.proxy is not None:
        await _tunnel(wire, lane.origin, lane.proxy, allowance)
    try:
        await wire.secure(desk.surroundings.tls(), lane.origin.host, allowance.share())
    except TimeoutError:
        raise
    except ConnectionError:
        raise Untrusted(
            f"{lane.origin.peer} ended the connection during the TLS handshake"
        ) from None
    except OSError as err:
        raise Untrusted(explain(err, lane.origin.peer).reason) from None


async def _tunnel(wire: Wire, origin: Origin, proxy: Proxy, allowance: Allowance) -> None:
    """RFC 9110 9.3.6. Raises Unreachable when the proxy does not open it."""
    login = f"proxy-authorization: {proxy.authorization}\r\n" if proxy.authorization else ""
    head = f"CONNECT {origin.peer} HTTP/1.1\r\nhost: {origin.peer}\r\n{login}\r\n"
    await wire.write(head.encode("latin-1"), allowance.share())
    reader = Reader(
        "HEAD", proxy.origin.peer
    )  # a 2xx to CONNECT has no body, whatever its headers say
    extra = b""
    try:
        while not reader.status:
            data = await wire.read(allowance.share())
            extra = reader.feed(data) if data else b""
            if not data:
                reader.eof(clean=True)
    except TimeoutError:
        raise
    except (Trouble, OSError):
        raise Unreachable(
            f"the proxy {proxy.origin.peer} broke off the tunnel to {origin.peer}"
        ) from None
    if not 200 <= reader.status < 300:
        raise Unreachable(
            f"the proxy {proxy.origin.peer} answered {reader.status} to the tunnel to {origin.peer}"
        )
    if extra or not reader.reusable:
        raise Garbled(f"the proxy {proxy.origin.peer} put bytes before the tunnel to {origin.peer}")
