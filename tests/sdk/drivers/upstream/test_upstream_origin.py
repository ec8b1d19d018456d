"""URLs, taken apart."""

from __future__ import annotations

import pytest

from nexus_sdk.drivers.upstream.failures import Refused
from nexus_sdk.drivers.upstream.origin import split


@pytest.mark.parametrize(
    ("url", "origin", "peer", "target"),
    [
        (
            "https://api.openai.com/v1/chat",
            "https://api.openai.com",
            "api.openai.com:443",
            "/v1/chat",
        ),
        ("HTTPS://API.OpenAI.com.:443", "https://api.openai.com", "api.openai.com:443", "/"),
        ("http://h:8080?a=b&c=%20", "http://h:8080", "h:8080", "/?a=b&c=%20"),
        ("http://h/a?b=//c/?d#frag?e", "http://h", "h:80", "/a?b=//c/?d"),
        ("http://127.1/", "http://127.0.0.1", "127.0.0.1:80", "/"),
        ("https://[::1]:8443/x", "https://[::1]:8443", "[::1]:8443", "/x"),
        (
            "http://h/a:b/c@d/models/m:streamGenerateContent",
            "http://h",
            "h:80",
            "/a:b/c@d/models/m:streamGenerateContent",
        ),
    ],
)
def test_a_url_gives_its_origin_and_its_target(
    url: str, origin: str, peer: str, target: str
) -> None:
    found, rest = split(url)
    assert (found.url, found.peer, rest) == (origin, peer, target)
    assert found.tls is origin.startswith("https")


@pytest.mark.parametrize(
    "url", ["http://256.1.1.1/", "http://[::1/", "http://a:b:c/", "http://h:/", "http://h%00/"]
)
def test_what_is_no_origin_is_refused(url: str) -> None:
    with pytest.raises(Refused) as refused:
        split(url + "?key=CANARY")
    assert "CANARY" not in str(refused.value)
