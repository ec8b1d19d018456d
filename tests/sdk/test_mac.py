from __future__ import annotations

import hmac

from hypothesis import given
from hypothesis import strategies as st

from nexus_sdk.mac import Mac


@given(st.binary(min_size=1, max_size=200), st.lists(st.binary(max_size=300), max_size=4))
def test_it_is_hmac_sha256_for_every_message_anew(key: bytes, messages: list[bytes]) -> None:
    mac = Mac(key)
    for message in messages:
        assert mac.of(message) == hmac.digest(key, message, "sha256")


def test_its_repr_shows_no_key() -> None:
    assert repr(Mac(b"secret")) == "Mac()"
