"""Step 1: what came in, parsed once and strictly, in the caller's own format."""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING

import orjson

from nexus_sdk.errors import Malformed
from nexus_sdk.values import value
from nexus_sdk.wire import estimates, multipart
from nexus_sdk.wire.dialect import Facts, Reply
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.endpoints import ENDPOINTS, framing, located
from nexus_sdk.wire.framing import SSE
from nexus_sdk.wire.json import insert, parse, splice
from nexus_sdk.wire.texts import ANY_TEXT, Leaf, leaves

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_sdk.model import Request
    from nexus_sdk.wire.dialect import Dialect
    from nexus_sdk.wire.endpoints import Endpoint, Found
    from nexus_sdk.wire.json import Json, Path
    from nexus_sdk.wire.multipart import Form


@value
class Call:
    """A request that was read. `body` is what may be sent on: the caller's bytes, less what policy
    replaced.

    `dialect` is None for an operation that no dialect reads; `doc` is None when its body is no JSON
    either. `input_chars` counts all texts as they came. `framing`: how the caller wants the events
    of a stream (`wire/framing.py`). `kept_as`: the id of the answer, where we keep it ourselves.
    `form`: the body as a form with files, where it is one.
    """

    request: Request
    endpoint: Endpoint | None
    dialect: Dialect | None
    doc: Json = field(repr=False)
    body: bytes = field(repr=False)
    facts: Facts
    texts: tuple[Leaf, ...] = field(repr=False, default=())
    input_chars: int = 0
    framing: str = SSE
    kept_as: str = ""
    form: Form | None = field(default=None, repr=False)

    @property
    def input_tokens(self) -> int:
        """An estimate, rounded up."""
        return estimates.tokens(self.input_chars)

    def reply(self, now: int) -> Reply:
        """What an answer in the caller's dialect needs of this call. `now`: Unix seconds."""
        request, facts = self.request, self.facts
        if not self.kept_as:
            return Reply(self.doc, request.id, facts.model, now)
        doc = self.doc | {"store": True}
        return Reply(doc, request.id, facts.model, now, kept_as=self.kept_as)

    def edited(self, edits: Mapping[Path, Json]) -> Call:
        """This call with some of its values replaced and every other byte kept."""
        if not edits:
            return self
        texts = tuple(
            leaf._replace(text=str(edits.get(leaf.path, leaf.text))) for leaf in self.texts
        )
        if self.form is not None:
            form = self.form.edited(edits)
            return replace(self, body=form.body, form=form, texts=texts)
        body = splice(self.body, edits)
        return replace(self, body=body, doc=orjson.loads(body), texts=texts)


def read(request: Request) -> Call:
    """Raises Malformed, in words for the caller."""
    endpoint = ENDPOINTS.get(request.endpoint)
    if endpoint is None or not endpoint.dialect:
        return _other(request, endpoint)
    dialect = DIALECTS[endpoint.dialect]
    _refuse_encoded(request)
    doc = parse(request.body, own_encoding=request.own_encoding)
    if (found := located(endpoint, request.path)) is not None:
        return _placed(request, dialect, doc, found)
    facts = dialect.read(doc)
    texts = tuple(leaves(doc, dialect.text))
    return Call(request, endpoint, dialect, doc, request.body, facts, texts, _chars(texts))


def _placed(request: Request, dialect: Dialect, doc: Json, found: Found) -> Call:
    """A call whose path says what its body may not: the model, and whether it streams. The path
    wins, as at the services that have such paths."""
    endpoint, body = found.endpoint, request.body
    if not endpoint.bare and isinstance(doc, dict) and doc.get("model") != found.model:
        named = ("model",)
        body = (
            splice(body, {named: found.model})
            if "model" in doc
            else insert(body, "model", found.model)
        )
        doc = {**doc, "model": found.model}
    read_facts = dialect.read(doc)
    streams = read_facts.stream if found.streams is None else found.streams
    facts = replace(read_facts, model=found.model, stream=streams)
    texts = tuple(leaves(doc, dialect.text))
    return Call(
        request,
        endpoint,
        dialect,
        doc,
        body,
        facts,
        texts,
        _chars(texts),
        framing(found, request.query),
    )


def _chars(texts: tuple[Leaf, ...]) -> int:
    return sum([len(leaf.text) for leaf in texts])


def _other(request: Request, endpoint: Endpoint | None) -> Call:
    named = _named(request, endpoint)
    kind = request.headers.get("content-type", "")
    if request.body and (form := multipart.parse(request.body, kind)) is not None:
        return _filled_in(request, endpoint, form, named)
    if not request.body or "json" not in kind.lower():
        return Call(request, endpoint, None, None, request.body, Facts(model=named))
    _refuse_encoded(request)
    doc = parse(request.body, own_encoding=request.own_encoding)
    found = doc if isinstance(doc, dict) else {}
    model = named or found.get("model")
    facts = Facts(model=model if isinstance(model, str) else "", stream=found.get("stream") is True)
    texts = tuple(leaves(doc, ANY_TEXT)) if isinstance(doc, dict | list) else ()
    return Call(request, endpoint, None, doc, request.body, facts, texts, _chars(texts))


def _filled_in(request: Request, endpoint: Endpoint | None, form: Form, named: str) -> Call:
    _refuse_encoded(request)
    form, texts = form.texts(ANY_TEXT)
    facts = Facts(model=named or form.get("model"), stream=form.get("stream").lower() == "true")
    chars = _chars(texts)
    return Call(request, endpoint, None, None, request.body, facts, texts, chars, form=form)


def _named(request: Request, endpoint: Endpoint | None) -> str:
    """The model that the path of an unread operation names; of one that lists models, none."""
    if endpoint is None or endpoint.kind == "list":
        return ""
    found = located(endpoint, request.path)
    return found.model if found else ""


def unread(call: Call) -> str:
    """What of a body without a document the rules cannot read; empty for nothing."""
    if call.form is not None:
        parts = ", ".join(call.form.unread)
        return f"parts of the form are no text: {parts}" if parts else ""
    return "the body is not JSON" if call.body else ""


def _refuse_encoded(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() not in ("", "identity"):
        raise Malformed(
            f"the body is compressed ({encoding[:32]!r}); send it without content-encoding",
            code="unsupported_encoding",
        )
