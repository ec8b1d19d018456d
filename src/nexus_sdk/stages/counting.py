"""An answer to "how many tokens is this?" where the target has no operation that counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nexus_sdk.wire.dialect import Reply
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from nexus_sdk.stages.reading import Call

KIND: Final = "count"
"""The kind of endpoints (`wire/endpoints.py`) whose answer may be an estimate."""
COERCED = "input_tokens: estimated at four characters a token"
"""For the report: the answer says so as well."""


def estimate(call: Call) -> bytes:
    """The body of the answer, in the caller's form. It counts every text of the request as it would
    be sent, tools and system included; images and files count nothing."""
    assert call.dialect is not None
    told = {"input_tokens": call.input_tokens, "estimated": True}
    reply = Reply(call.doc, call.request.id, call.facts.model)
    return dumps(call.dialect.encode_response(told, reply))
