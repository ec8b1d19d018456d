"""Forward proxies: which exchanges go through one, and what the proxy and the origin hear."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from nexus_sdk.drivers.upstream.origin import parse_origin
from nexus_sdk.drivers.upstream.proxies import Proxies
from nexus_sdk.errors import BadSettings
from nexus_sdk.model import Failure, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus_sdk.model import Upstream

type Serve = Callable[[Callable[[Any], object]], Any]
type To = Callable[..., Upstream]


def nowhere(name: str, port: int) -> tuple[str, ...]:
    raise AssertionError("the proxy resolves names, not we")


@pytest.mark.parametrize(
    ("no", "url", "through"),
    [
        ("", "https://api.openai.com", True),
        ("*", "https://api.openai.com", False),
        ("openai.com", "https://api.openai.com", False),
        (".openai.com", "https://api.openai.com", False),
        ("*.openai.com", "https://openai.com", False),
        ("notopenai.com", "https://api.openai.com", True),
        ("api.openai.com:444", "https://api.openai.com", True),
        (" x , api.openai.com:443", "https://api.openai.com", False),
        ("10.0.0.0/8", "http://10.1.2.3", False),
        ("10.0.0.0/8", "http://11.1.2.3", True),
        ("127.0.0.1", "http://127.1:8000", False),
        ("127.0.0.1:8000", "http://127.0.0.1:8000", False),
        ("127.0.0.1:8001", "http://127.0.0.1:8000", True),
        ("localhost", "http://127.0.0.1", True),
        ("::1", "http://[::1]:80", False),
        ("[::1]:80", "http://[::1]", False),
        ("[::1]:81", "http://[::1]", True),
        ("fd00::/8", "http://[fd01::1]", False),
        ("1.0.0.127", "http://host.1.0.0.127.example", True),
    ],
)
def test_hosts_that_go_without(no: str, url: str, through: bool) -> None:
    proxies = Proxies({"all": "http://proxy:3128", "no": no})
    assert (proxies.pick(parse_origin(url)) is not None) is through


def test_the_scheme_chooses_and_all_is_for_the_rest() -> None:
    proxies = Proxies({"https": "secure:1", "all": "http://other:2"})
    secure, plain = proxies.pick(parse_origin("https://a")), proxies.pick(parse_origin("http://a"))
    assert secure is not None
    assert plain is not None
    assert (secure.origin.peer, plain.origin.peer) == ("secure:1", "other:2")
    assert Proxies({"http": "", "https": "http://p:1"}).pick(parse_origin("http://a")) is None


def test_a_login_never_shows() -> None:
    proxy = Proxies({"all": "http://us%40er:pa%3Ass@proxy:1"}).pick(parse_origin("http://a"))
    assert proxy is not None
    assert proxy.authorization == "Basic dXNAZXI6cGE6c3M="
    assert "dXNA" not in repr(proxy)


@pytest.mark.parametrize(
    "settings",
    [
        {"all": "socks5://p:1"},
        {"https": "https://p:1"},
        {"http": "http://"},
        {"http": "http://p:x"},
        {"ftp": "http://p"},
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_at_once(
    settings: dict[str, str], make_side: Any
) -> None:
    with pytest.raises(BadSettings):
        make_side(proxies=settings)


def test_plain_http_asks_the_proxy_for_the_whole_url(serve: Serve, make_side: Any, to: To) -> None:
    heard: list[bytes] = []

    def handler(peer: Any) -> None:
        while data := peer.hear():
            heard.append(data)
            peer.answer()

    served = serve(handler)
    side = make_side(proxies={"http": f"http://u:p@127.0.0.1:{served.port}"}, lookup=nowhere)
    call = replace(to(served), url="http://api.example:81/v1?a=b")
    for _ in range(2):
        assert side.send(call)[0].body == b"ok"
    assert heard[1].startswith(
        b"POST http://api.example:81/v1?a=b HTTP/1.1\r\nhost: api.example:81\r\n"
    )
    assert b"\r\nproxy-authorization: Basic dTpw\r\n" in heard[1]
    assert len(served.accepted) == 1


def test_https_goes_through_a_tunnel_and_the_login_stays_outside(
    serve: Serve, make_side: Any, to: To
) -> None:
    heard: list[bytes] = []

    def handler(peer: Any) -> None:
        heard.append(peer.hear())
        peer.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
        heard.append(peer.sock.recv(65536))
        peer.sock.close()

    served = serve(handler)
    side = make_side(proxies={"https": f"http://u:p@127.0.0.1:{served.port}"}, lookup=nowhere)
    reply, _ = side.send(replace(to(served), url="https://api.example/v1", private_network=False))
    assert isinstance(reply, Failure)
    assert reply.kind == "tls"
    assert heard[0] == (
        b"CONNECT api.example:443 HTTP/1.1\r\nhost: api.example:443\r\n"
        b"proxy-authorization: Basic dTpw\r\n\r\n"
    )
    assert heard[1][:1] == b"\x16"  # a TLS handshake record
    assert b"api.example" in heard[1]  # whose SNI is the origin


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            b"HTTP/1.1 407 Login\r\ncontent-length: 0\r\n\r\n",
            "answered 407 to the tunnel to api.example:443",
        ),
        (b"", "broke off the tunnel"),
        (b"garbage", "broke off the tunnel"),
        (b"HTTP/1.1 200 OK\r\n\r\nEARLY", "put bytes before the tunnel"),
    ],
)
def test_a_tunnel_that_is_not_opened(
    serve: Serve, make_side: Any, to: To, answer: bytes, words: str
) -> None:
    served = serve(lambda peer: (peer.hear(), peer.say(answer), peer.sock.close()))
    side = make_side(proxies={"https": f"127.0.0.1:{served.port}"}, lookup=nowhere)
    reply, _ = side.send(replace(to(served), url="https://api.example/v1"))
    assert isinstance(reply, Failure)
    assert words in reply.reason


def test_a_proxy_that_is_silent_takes_its_share_of_the_time(
    serve: Serve, make_side: Any, to: To
) -> None:
    served = serve(lambda peer: peer.wait_gone())
    side = make_side(proxies={"https": f"127.0.0.1:{served.port}"}, lookup=nowhere)
    reply, _ = side.send(replace(to(served), url="https://api.example/v1", connect_s=0.15))
    assert isinstance(reply, Failure)
    assert reply.kind == "timeout"


def test_a_refused_address_does_not_pass_through_a_proxy(
    serve: Serve, make_side: Any, to: To
) -> None:
    served = serve(lambda peer: peer.answer())
    side = make_side(proxies={"http": f"127.0.0.1:{served.port}"}, lookup=nowhere)
    reply, _ = side.send(replace(to(served), url="http://169.254.169.254/latest"))
    assert isinstance(reply, Failure)
    assert reply.kind == "refused_address"
    assert not served.accepted


def test_an_exempt_host_is_reached_straight(serve: Serve, make_side: Any, to: To) -> None:
    served = serve(lambda peer: (peer.hear(), peer.answer()))
    reply, _ = make_side(proxies={"http": "127.0.0.1:1", "no": "127.0.0.1"}).send(to(served))
    assert isinstance(reply, Response)
