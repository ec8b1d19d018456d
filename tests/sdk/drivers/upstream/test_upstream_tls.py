"""TLS: who is trusted, and what the end of a connection means under it."""

from __future__ import annotations

import ssl
import sys
from typing import TYPE_CHECKING, Any

import pytest

from nexus_sdk.drivers.upstream.surroundings import Surroundings
from nexus_sdk.errors import BadSettings
from nexus_sdk.model import Failure, Response

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nexus_sdk.model import Upstream

type Serve = Callable[[Callable[[Any], object]], Any]
type To = Callable[..., Upstream]


def answering(peer: Any) -> None:
    while peer.hear():
        peer.answer()


def test_a_trusted_root_carries_calls_and_keeps_connections(
    serve: Serve, make_side: Any, to: To, authority: Any, tmp_path: Path
) -> None:
    served = serve(authority.over_tls(authority.issue(tmp_path), answering))
    side = make_side(roots_pem=authority.pem)
    for _ in range(3):
        assert side.send(to(served, scheme="https"))[0].body == b"ok"
    assert len(served.accepted) == 1


def test_an_unknown_root_is_refused(
    serve: Serve, side: Any, to: To, authority: Any, tmp_path: Path
) -> None:
    reply, _ = side.send(
        to(serve(authority.over_tls(authority.issue(tmp_path), answering)), scheme="https")
    )
    assert isinstance(reply, Failure)
    assert reply.kind == "tls"
    assert "is not trusted: unable to get local issuer certificate" in reply.reason


@pytest.mark.parametrize(("address", "expired"), [("127.0.0.2", False), ("127.0.0.1", True)])
def test_a_certificate_of_another_host_or_time_is_refused(
    serve: Serve,
    make_side: Any,
    to: To,
    authority: Any,
    tmp_path: Path,
    address: str,
    expired: bool,
) -> None:
    served = serve(
        authority.over_tls(authority.issue(tmp_path, address, expired=expired), answering)
    )
    reply, _ = make_side(roots_pem=authority.pem).send(to(served, scheme="https"))
    assert isinstance(reply, Failure)
    assert reply.kind == "tls"


def test_tls_to_a_plain_port(serve: Serve, side: Any, to: To) -> None:
    def handler(peer: Any) -> None:
        peer.sock.recv(10)
        peer.say(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        peer.wait_gone()

    reply, _ = side.send(to(serve(handler), scheme="https"))
    assert isinstance(reply, Failure)
    assert reply.kind == "tls"


def test_a_peer_that_leaves_the_handshake(serve: Serve, side: Any, to: To) -> None:
    reply, _ = side.send(to(serve(lambda peer: peer.reset()), scheme="https"))
    assert isinstance(reply, Failure)
    assert reply.kind in {"tls", "connect"}


def test_a_peer_that_is_silent_in_the_handshake(serve: Serve, side: Any, to: To) -> None:
    reply, _ = side.send(to(serve(lambda peer: peer.wait_gone()), scheme="https", connect_s=0.15))
    assert reply == Failure("timeout", reply.reason)
    assert "connecting to" in reply.reason
    assert "0.15 s" in reply.reason


@pytest.mark.parametrize("polite", [True, False])
def test_a_body_without_a_length_needs_close_notify(
    serve: Serve, make_side: Any, to: To, authority: Any, tmp_path: Path, polite: bool
) -> None:
    def handler(peer: Any) -> None:
        peer.hear()
        peer.say(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        if polite:
            peer.sock = peer.sock.unwrap()
        peer.sock.close()

    served = serve(authority.over_tls(authority.issue(tmp_path), handler))
    reply, _ = make_side(roots_pem=authority.pem).send(to(served, scheme="https"))
    if polite:
        assert isinstance(reply, Response)
        assert reply.body == b"all of it"
    else:
        assert isinstance(reply, Failure)
        assert reply.kind == "truncated"


def test_where_openssl_finds_no_roots_certifi_lends_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nothing = ssl.get_default_verify_paths()._replace(cafile="", capath="")
    a_directory = nothing._replace(capath=str(tmp_path))
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    monkeypatch.setattr(ssl, "create_default_context", lambda: bare)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: a_directory)
    (tmp_path / "0a1b2c3d.0").touch()
    Surroundings({}, "", lambda name, port: ()).tls()
    assert (
        bare.cert_store_stats()["x509_ca"] == 0
    )  # a directory of roots is the system's own choice
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nothing)
    monkeypatch.setitem(sys.modules, "certifi", None)
    Surroundings({}, "", lambda name, port: ()).tls()
    assert bare.cert_store_stats()["x509_ca"] == 0
    monkeypatch.delitem(sys.modules, "certifi")
    Surroundings({}, "", lambda name, port: ()).tls()
    assert bare.cert_store_stats()["x509_ca"] > 50


def test_roots_that_are_no_pem_are_refused_at_once(make_side: Any) -> None:
    with pytest.raises(BadSettings, match="PEM"):
        make_side(roots_pem="not a certificate")


def test_a_tunnel_through_a_proxy_carries_tls_to_the_origin(
    serve: Serve, make_side: Any, to: To, authority: Any, tmp_path: Path
) -> None:
    heard: list[bytes] = []
    context = authority.issue(tmp_path)

    def proxy(peer: Any) -> None:
        heard.append(peer.hear())
        peer.say(b"HTTP/1.1 200 Connection established\r\nvia: proxy\r\n\r\n")
        authority.over_tls(context, answering)(peer)

    served = serve(proxy)
    side = make_side(roots_pem=authority.pem, proxies={"all": f"u:p@127.0.0.1:{served.port}"})
    for _ in range(2):
        assert side.send(to(served, scheme="https"))[0].body == b"ok"
    assert len(heard) == 1
    assert heard[0].startswith(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n" % served.port)
    assert b"sk-CANARY" not in heard[0]
