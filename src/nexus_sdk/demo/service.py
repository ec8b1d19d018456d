"""What each path of the model server answers. Knows no socket: a request in, the steps of its
answer out.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

from nexus_sdk.demo import chat, embeddings, gemini, messages, moderations, reranking, responses
from nexus_sdk.demo.delivery import Outgoing, deliver
from nexus_sdk.demo.frames import frames
from nexus_sdk.demo.metering import Prefixes
from nexus_sdk.demo.reply import NOT_UTF8, Answering, Prompt, dumps, input_tokens
from nexus_sdk.demo.script import PLAIN, BadScript, Script, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from nexus_sdk.demo.delivery import Step
    from nexus_sdk.demo.journal import Journal, Seen
    from nexus_sdk.demo.reader import Received
    from nexus_sdk.demo.reply import Event, Reply


class Format(NamedTuple):
    """One wire format: reads a request, writes a whole answer, a stream and an error."""

    read: Callable[[dict[str, Any]], Prompt]
    whole: Callable[[Reply], dict[str, Any]]
    events: Callable[[Reply, Mapping[str, Any]], Iterator[Event]]
    error: Callable[[int, str, str], dict[str, Any]]
    error_event: Callable[[str, str], Event]
    headers: Mapping[str, str]


OPENAI_HEADERS: Mapping[str, str] = {
    "openai-version": "2020-10-01",
    "openai-organization": "demo",
    "x-ratelimit-limit-requests": "10000",
    "x-ratelimit-limit-tokens": "2000000",
    "x-ratelimit-remaining-requests": "9999",
    "x-ratelimit-remaining-tokens": "1999000",
    "x-ratelimit-reset-requests": "6ms",
    "x-ratelimit-reset-tokens": "30ms",
}
ANTHROPIC_HEADERS: Mapping[str, str] = {
    "anthropic-ratelimit-requests-limit": "4000",
    "anthropic-ratelimit-requests-remaining": "3999",
    "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:00Z",
    "anthropic-ratelimit-tokens-limit": "400000",
    "anthropic-ratelimit-tokens-remaining": "399000",
    "anthropic-ratelimit-tokens-reset": "2026-01-01T00:00:00Z",
}
CHAT = Format(chat.read, chat.whole, chat.events, chat.error, chat.error_event, OPENAI_HEADERS)
RESPONSES = Format(
    responses.read,
    responses.whole,
    responses.events,
    chat.error,
    responses.error_event,
    OPENAI_HEADERS,
)
MESSAGES = Format(
    messages.read,
    messages.whole,
    messages.events,
    messages.error,
    messages.error_event,
    ANTHROPIC_HEADERS,
)
GEMINI = Format(gemini.read, gemini.whole, gemini.events, gemini.error, gemini.error_event, {})
FORMATS: Mapping[str, Format] = {
    "/chat/completions": CHAT,
    "/responses": RESPONSES,
    "/messages": MESSAGES,
    ":generateContent": GEMINI,
    ":streamGenerateContent": GEMINI,
}
"""By the end of the path, so that `/v1/...`, `/openai/deployments/x/...` and no prefix at all are
served.
"""
PLAINLY: Mapping[str, Callable[[dict[str, Any], int], dict[str, Any]]] = {
    "/embeddings": lambda body, _number: embeddings.whole(body),
    "/moderations": moderations.whole,
    "/rerank": lambda body, _number: reranking.whole(body),
    "/count_tokens": lambda body, _number: {"input_tokens": input_tokens(messages.read(body))},
    "/input_tokens": lambda body, _number: {
        "object": "response.input_tokens",
        "input_tokens": input_tokens(responses.read(body)),
    },
    ":countTokens": lambda body, _number: {"totalTokens": input_tokens(gemini.counted(body))},
    ":embedContent": lambda body, _number: gemini.embedded(body),
    ":batchEmbedContents": lambda body, _number: gemini.batch_embedded(body),
}
"""What answers the number of a request and its body without a script."""

MODELS = (
    "gpt-4o",
    "gpt-4o-mini",
    "o4-mini",
    "text-embedding-3-small",
    "claude-sonnet-4-5",
    "bench",
)
CREATED = 1_735_689_600
"""2025-01-01, the day on which every model of the list was made."""

BENCH_SCRIPTS: Mapping[bool, Script] = {
    False: Script({"say": "The benchmark's answer is the same every time. ".ljust(460, "=")}),
    True: Script({"chunks": "100"}),
}
"""What `model: bench` answers, whole and streamed: about 1 KB of chat completion, and 100 pieces of
content.
"""

_BENCH = re.compile(rb'"model"\s*:\s*"bench"')
_STREAM = re.compile(rb'"stream"\s*:\s*true')
_JSON = {"content-type": "application/json"}
_EVENTS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
_HTML = b"<!DOCTYPE html>\n<html><body><h1>Bad gateway</h1></body></html>\n"
_GARBAGE = b"\x00\x01{not json, no event}\r\n\x02"
_SHAPE_ERRORS = (KeyError, TypeError, AttributeError, ValueError, IndexError)
"""What reading a body of the wrong shape raises: the formats look, they do not validate."""


class Service:
    """`clock` gives the seconds since 1970 for the `created` of an answer."""

    def __init__(self, journal: Journal, clock: Callable[[], float]) -> None:
        self.journal = journal
        self._clock = clock
        self._prefixes = Prefixes()
        self._answering = Answering(self._prefixes)
        self._played: Counter[str] = Counter()
        self._prepared: dict[tuple[str, bool], tuple[bytes]] = {}

    def answer(self, received: Received) -> tuple[Iterable[Step], Seen | None]:
        """The steps of the answer, and the journal's entry, which is missing for a look into the
        journal.
        """
        path = received.path
        if path == "/_seen":
            return deliver(self._seen(received), PLAIN), None
        seen = self.journal.add(received)
        if (
            b'"bench"' in received.body
            and _BENCH.search(received.body)
            and "x-demo" not in received.headers
        ):
            streamed = _STREAM.search(received.body) is not None
            if (suffix := _suffix(path)) in FORMATS:
                return self._bench(suffix, streamed=streamed), seen
        return self._answer(received, seen.number), seen

    def _answer(self, received: Received, number: int) -> Iterable[Step]:
        suffix = _suffix(received.path)
        form = _form(suffix)
        try:
            body = json.loads(received.body) if received.body else {}
            body = gemini.routed(received.path, body)
            script = self._script(str(body.get("model", "")), received.headers.get("x-demo", ""))
        except (BadScript, *_SHAPE_ERRORS) as problem:
            return deliver(_error(form, 400, str(problem), PLAIN), PLAIN)
        try:
            answer = self._scripted(form, script) or self._routed(
                received, suffix, body, (script, number)
            )
        except _SHAPE_ERRORS as problem:
            answer = _error(form, 400, f"the body does not fit {suffix}: {problem!r}", script)
        headers = _named(form, answer.headers, number, script)
        return deliver(Outgoing(answer.status, headers, answer.pieces, answer.streamed), script)

    def _script(self, model: str, header: str) -> Script:
        script = read(model, header)
        if "times" not in script:
            return script
        key = script.key()
        self._played[key] += 1
        return script if self._played[key] <= script.count("times", 0) else PLAIN

    @staticmethod
    def _scripted(form: Format, script: Script) -> Outgoing | None:
        """What a script puts in the place of an answer."""
        if "html" in script:
            return Outgoing(200, {"content-type": "text/html; charset=utf-8"}, (_HTML,))
        if (status := script.count("status", 200)) >= 300:
            return _error(form, status, "the script of this request asks for this error", script)
        return None

    def _routed(
        self, received: Received, suffix: str, body: dict[str, Any], asked: tuple[Script, int]
    ) -> Outgoing:
        if received.method == "POST" and suffix in FORMATS:
            return self._generated(FORMATS[suffix], body, *asked)
        if received.method == "POST" and suffix in PLAINLY:
            return _json(PLAINLY[suffix](body, asked[1]))
        if received.method == "GET" and (listed := _models(received)) is not None:
            return _json(listed)
        wrong = f"{received.method} {received.path} is not served"
        return _error(_form(suffix), 404, wrong, PLAIN)

    def _generated(
        self, form: Format, body: dict[str, Any], script: Script, number: int
    ) -> Outgoing:
        prompt = form.read(body)
        status = script.count("status", 200)
        usual = _EVENTS if prompt.stream else _JSON
        if "garbage" in script or "empty" in script:
            return Outgoing(status, usual, (_GARBAGE,) if "garbage" in script else ())
        if "error-in-200" in script:
            return Outgoing(200, usual, _error(form, 500, "the model failed", script).pieces)
        reply = self._answering.reply(prompt, script, number, int(self._clock()))
        if not prompt.stream:
            return _json(form.whole(reply), status)
        failure = form.error_event("the model failed", script.text("code", "server_error"))
        return Outgoing(
            status, usual, frames(form.events(reply, body), script, failure), streamed=True
        )

    def _bench(self, suffix: str, *, streamed: bool) -> tuple[bytes]:
        """One reply for all, made once."""
        if (suffix, streamed) not in self._prepared:
            form, prompt = FORMATS[suffix], Prompt("bench", (), "", stream=streamed)
            reply = self._answering.reply(prompt, BENCH_SCRIPTS[streamed], 0, CREATED)
            made = _json(form.whole(reply))
            if streamed:
                pieces = frames(form.events(reply, {}), PLAIN, form.error_event("", ""))
                made = Outgoing(200, _EVENTS, pieces, streamed=True)
            named = Outgoing(200, _named(form, made.headers, 0, PLAIN), made.pieces, made.streamed)
            steps = deliver(named, PLAIN)
            self._prepared[suffix, streamed] = (
                b"".join(step for step in steps if isinstance(step, bytes)),
            )
        return self._prepared[suffix, streamed]

    def _seen(self, received: Received) -> Outgoing:
        """`GET /_seen?since=N`: the requests kept; `DELETE /_seen`: forget them, and what was
        played and cached.
        """
        if received.method == "DELETE":
            self.journal.clear()
            self._prefixes.clear()
            self._played.clear()
            return Outgoing(204, {}, ())
        since = parse_qs(received.query).get("since", ["0"])[0]
        if not since.isdecimal():
            return _error(CHAT, 400, f"since={since!r}: expected the number of a request", PLAIN)
        return _json({"requests": [seen.as_json() for seen in self.journal.since(int(since))]})


def _suffix(path: str) -> str:
    """The part of a path that says what is asked: its last segment, two for chat completions, and
    for Gemini's paths what stands after the model's name."""
    path = path.rstrip("/")
    if path.endswith("/chat/completions"):
        return "/chat/completions"
    last = path[path.rfind("/") :]
    return last[last.find(":") :] if ":" in last else last


def _form(suffix: str) -> Format:
    """The format in which a path tells errors."""
    return FORMATS.get(suffix, GEMINI if suffix.startswith(":") else CHAT)


def _named(form: Format, headers: Mapping[str, str], number: int, script: Script) -> dict[str, str]:
    """The headers that providers send along, and those that the script sets."""
    named = {**headers, **form.headers}
    if form is MESSAGES:
        named["request-id"] = f"req_{number:024x}"
    elif form is not GEMINI:
        named["x-request-id"] = f"req_{number:032x}"
        named["openai-processing-ms"] = str(max(1, round(1000 * script.seconds("delay"))))
    if script:
        for name in ("retry-after", "retry-after-ms", "location", "content-type"):
            if name in script:
                named[name] = script.text(name)
    return named


def _json(value: Any, status: int = 200) -> Outgoing:
    encoded = dumps(value).encode("utf-8", "surrogatepass").replace(_NOT_UTF8, b"\xff")
    return Outgoing(status, _JSON, (encoded,))


_NOT_UTF8 = NOT_UTF8.encode()


def _error(form: Format, status: int, message: str, script: Script) -> Outgoing:
    return _json(form.error(status, message, script.text("code")), status)


def _models(received: Received) -> dict[str, Any] | None:
    """The list of models or one of them, as the caller's vendor has it; None for another path."""
    path = received.path.rstrip("/")
    row = _anthropic_model if "anthropic-version" in received.headers else _openai_model
    if path.endswith("/models"):
        rows = [row(name) for name in MODELS]
        ends = {"has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}
        return (
            {"data": rows, **ends} if row is _anthropic_model else {"object": "list", "data": rows}
        )
    parent, _, name = path.rpartition("/")
    return row(name) if parent.endswith("/models") and name in MODELS else None


def _openai_model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "demo"}


def _anthropic_model(name: str) -> dict[str, Any]:
    made = "2025-01-01T00:00:00Z"
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": made,
        "lifecycle": "active",
    }
