"""The steps of the demonstration. Each does what a user would do, shows what became of it on both
sides, and checks that it is so."""

from __future__ import annotations

import json
import shutil
import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nexus_sdk.demo.scene import (
    CLAUDE,
    CODE_NAME,
    MODEL,
    STREAMED,
    TRAINEE,
    TRAINEE_CALLS,
    installed,
)
from nexus_sdk.drivers.spool import events, load_or_create_key, verify
from nexus_sdk.refusals import PolicyBlocked, RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from nexus_sdk.demo.scene import Scene
    from nexus_sdk.demo.screen import Screen
    from nexus_sdk.model import Event

    type Act = Callable[[Scene, Screen], str]

EMAIL, CARD = "ann.lee@example.com", "4111 1111 1111 1111"
CLOUD_KEY = "AKIA" + "QYLPMN5HFIQR7XYA"  # in two pieces: scanners of source code see no key
VALUES = (EMAIL, CARD, CLOUD_KEY)
READY_S = 20.0
FLIPPED = 0b100
"""The bit that is changed in a byte of the trail."""


class NotShown(Exception):
    """A step did not show what it should; the message says what."""


def check(holds: object, said: str) -> None:
    if not holds:
        raise NotShown(said)


def redaction(scene: Scene, screen: Screen) -> str:
    """An email address, a card and a cloud key: gone upstream, back in the answer."""
    prompt = f"Repeat word for word: {EMAIL} paid with {CARD}, and {CLOUD_KEY} is the key."
    screen.step(
        "Personal data and secrets stay here",
        "from nexus_sdk import OpenAI\n"
        "client = OpenAI()\n"
        f'client.chat.completions.create(model="{MODEL}", messages=[...])',
    )
    answer = _said(scene.client(), prompt)
    sent = scene.received[-1].said
    screen.lines(
        [("you wrote", prompt), ("the provider got", sent), ("you got back", answer)],
        values=VALUES,
    )
    check(not any(value in sent for value in VALUES), "a value reached the provider")
    check(all(value in answer for value in VALUES), "a value did not come back in the answer")
    return f"{scene.last['redacted']} values were replaced on the way out and put back"


def block(scene: Scene, screen: Screen) -> str:
    """A prompt that a rule forbids."""
    prompt = "What is the status of Project Nightjar?"
    screen.step(
        "What must not leave is blocked",
        "try:\n"
        "    client.chat.completions.create(...)\n"
        "except nexus_sdk.PolicyBlocked as blocked:\n"
        "    print(blocked.rules)",
    )
    before = len(scene.received)
    try:
        _said(scene.client(), prompt)
    except PolicyBlocked as blocked:
        screen.lines(
            [
                ("you wrote", prompt),
                ("the provider got", "nothing"),
                ("you got", f"PolicyBlocked: {blocked.message}"),
                ("blocked.rules", repr(blocked.rules)),
            ]
        )
        check(blocked.rules == ("project.names",), "another rule blocked")
        check(len(scene.received) == before, "the prompt was sent all the same")
        return "it is an openai.PermissionDeniedError too: code for the stock client catches it"
    raise NotShown("the prompt was not blocked")


def stream(scene: Scene, screen: Screen) -> str:
    """An answer that is redacted while it arrives."""
    prompt = f"Repeat word for word: our code name is {CODE_NAME}, and nobody may know it."
    screen.step(
        "An answer is enforced while it streams",
        "for chunk in client.chat.completions.create(..., stream=True):\n"
        "    print(chunk.choices[0].delta.content)",
    )
    screen.lines([("you wrote   ", prompt)], values=(CODE_NAME,))
    screen.begin("you are told", len("you wrote   "))
    pieces = []
    asked: Any = [{"role": "user", "content": prompt}]
    for chunk in scene.client().chat.completions.create(
        model=STREAMED, messages=asked, stream=True
    ):
        piece = chunk.choices[0].delta.content if chunk.choices else None
        if piece:
            pieces.append(piece)
            screen.piece(piece)
    screen.end()
    said = "".join(pieces)
    check(len(pieces) > 3, "the answer did not come in pieces")
    check(CODE_NAME not in said, f"the answer said {CODE_NAME}")
    check("[REDACTED:" in said, "nothing was redacted")
    held = scene.last["held_chars"]
    return f"{len(pieces)} pieces as they came; never more than {held} characters were held back"


def cache(scene: Scene, screen: Screen) -> str:
    """The same question again."""
    prompt = "Which day follows Monday?"
    screen.step(
        "The same question again is free",
        "client.chat.completions.create(..., temperature=0)  # twice",
    )
    client, before = scene.client(), len(scene.received)
    rows = []
    for call in ("first", "again"):
        answer = _said(client, prompt, temperature=0)
        rows.append((call, answer, scene.last))
    screen.table(
        ("", "answer", "usd", "ms", "cache"),
        [(call, answer, *_money_and_time(event), event["cache"]) for call, answer, event in rows],
        right=("usd", "ms"),
    )
    first, again = (event for _, _, event in rows)
    check(rows[0][1] == rows[1][1], "the answers differ")
    check(len(scene.received) == before + 1, "the provider was asked twice")
    check(float(first["cost_usd"]) > 0, "the first call cost nothing")
    check(float(again["cost_usd"]) == 0, "the second call cost something")
    return f"${again['saved_usd']} saved, and the provider was asked once"


def quota(scene: Scene, screen: Screen) -> str:
    """A limit of three requests."""
    screen.step(
        "A budget holds",
        f'client = OpenAI(user="{TRAINEE}")  # by the policy: {TRAINEE_CALLS} requests a day',
    )
    client = scene.client(user=TRAINEE)
    for call in range(1, 10):
        try:
            _said(client, f"Is {call} a prime number?")
        except RateLimited as limited:
            screen.lines(
                [
                    (f"calls 1 to {call - 1}", "answered"),
                    (f"call {call}", f"{type(limited).__name__}: {limited.message}"),
                    ("limited.retry_after", f"{limited.retry_after:.0f} s"),
                ]
            )
            check(call == TRAINEE_CALLS + 1, f"the limit is {TRAINEE_CALLS}")
            return "an openai.RateLimitError too, raised before anything was sent"
    raise NotShown("the limit did not hold")


def sidecar(scene: Scene, screen: Screen) -> str:
    """Anthropic's client, through the sidecar, to a provider of OpenAI's format."""
    screen.step(
        "Any language, any SDK: the sidecar",
        "$ nexus sidecar\n"
        'client = anthropic.Anthropic(base_url="http://...", api_key="nvk_...")\n'
        f'client.messages.create(model="{CLAUDE}", ...)  # goes to OpenAI',
    )
    server = installed("nexus_sidecar.server")
    if server is None:
        screen.note("left out: the sidecar needs `pip install nexus-sdk[sidecar]`")
        return "the library needs none of it"
    prompt = f"Repeat word for word: {EMAIL} asked for a refund."
    with _running(scene, server) as running:
        ask = _by_http if installed("anthropic") is None else _by_anthropic
        if ask is _by_http:
            screen.note("anthropic is not installed: the same request as plain HTTP")
        answer = ask(running.url, running.minted, prompt)
        received = scene.received[-1]
    screen.lines(
        [
            ("you wrote", prompt),
            *_seen_behind(scene, received),
            ("you got back", answer),
        ],
        values=VALUES,
    )
    check(EMAIL in answer, "the address did not come back in the answer")
    if not scene.live:
        check(received.path == "/v1/chat/completions", "the request was not translated")
        check(EMAIL not in received.body.decode(), "the address reached the provider")
        sent = json.dumps(received.headers)
        check(running.minted not in sent, "the virtual key reached the provider")
    return "Messages in, Chat Completions out; the virtual key stays with the sidecar"


def _seen_behind(scene: Scene, received: Any) -> list[tuple[str, str]]:
    """What reached the provider from the sidecar, which live only OpenAI could tell."""
    if scene.live:
        return []
    return [("the provider got", f"POST {received.path}"), ("", received.said)]


def audit(scene: Scene, screen: Screen) -> str:
    """Everything above as its trail tells it, and a trail that was changed."""
    screen.step("Every call left one event, and the trail is sealed", "$ nexus audit verify")
    scene.nexus.close()
    folder = scene.settings.state_dir
    told = [entry.event for entry in events(folder / "audit")]
    screen.table(
        ("door", "model", "outcome", "decision", "cache", "tokens", "usd", "ms"),
        map(_row, told),
        right=("tokens", "usd", "ms"),
    )
    key = load_or_create_key(folder / "audit.key")
    report = verify(folder / "audit", key)
    check(report.ok, "the trail does not verify")
    check(len(told) == report.events == len(scene.events) + 1, "an event is missing")
    written = json.dumps(told)
    check(not any(value in written for value in VALUES), "a value stands in the trail")
    changed = scene.folder / "changed"
    shutil.copytree(folder / "audit", changed)
    where = _flip(changed)
    found = verify(changed, key)
    check(not found.ok, "the changed trail verifies")
    chains = len(report.chains)
    screen.lines(
        [
            ("", ""),
            ("the trail", f"{report.events} events in {chains} chains, each as it was written"),
            ("one bit changed", f"in a copy, {where}"),
            ("verify says", str(found.all_problems[0])),
        ]
    )
    total = sum(float(event["cost_usd"] or 0) for event in told)
    return f"{report.events} events, ${total:.8f} in all, and no prompt or value in any of them"


ACTS: Sequence[Act] = (redaction, block, stream, cache, quota, sidecar, audit)


def _said(client: Any, prompt: str, **more: Any) -> str:
    asked = [{"role": "user", "content": prompt}]
    got = client.chat.completions.create(model=MODEL, messages=asked, **more)
    return str(got.choices[0].message.content)


@contextmanager
def _running(scene: Scene, server: Any) -> Iterator[Any]:
    """A sidecar under the same policy, on a free port, in a thread."""
    running = server.Sidecar(scene.policy, server.Options(port=0), scene.settings)
    ready = threading.Event()
    thread = threading.Thread(target=running.serve, args=(ready.set,), name="nexus-sidecar")
    thread.start()
    try:
        check(ready.wait(READY_S), "the sidecar did not start")
        yield running
    finally:
        running.stop()
        thread.join()


def _by_anthropic(url: str, api_key: str, prompt: str) -> str:
    import anthropic

    with anthropic.Anthropic(base_url=url, api_key=api_key, max_retries=0) as client:
        got: Any = client.messages.create(
            model=CLAUDE, max_tokens=200, messages=[{"role": "user", "content": prompt}]
        )
    return str(got.content[0].text)


def _by_http(url: str, api_key: str, prompt: str) -> str:
    body = {
        "model": CLAUDE,
        "max_tokens": 200,
        "messages": [{"role": "user", "content": prompt}],
    }
    headers = {
        "x-api-key": api_key,
        "anthropic-version": "2023-06-01",
        "content-type": "application/json",
    }
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request("POST", "/v1/messages", json.dumps(body), headers)
        return str(json.load(connection.getresponse())["content"][0]["text"])
    finally:
        connection.close()


def _row(event: Event) -> tuple[str, ...]:
    usage = event["usage"]
    return (
        event["door"],
        event["model"],
        event["outcome"],
        event["decision"],
        event["cache"],
        str(usage["input"] + usage["output"]) if usage else "",
        *_money_and_time(event),
    )


def _money_and_time(event: Event) -> tuple[str, str]:
    usd, ms = event["cost_usd"], event["duration_ms"]
    return "" if usd is None else f"{float(usd):.6f}", f"{ms:.1f}" if ms < 100 else f"{ms:.0f}"


def _flip(trail: Path) -> str:
    """Change one bit in the middle of its largest file."""
    file = max((file for file in trail.rglob("*") if file.is_file()), key=_size)
    data = bytearray(file.read_bytes())
    at = len(data) // 2
    data[at] ^= FLIPPED
    file.write_bytes(data)
    return f"byte {at} of {file.name}"


def _size(file: Path) -> int:
    return file.stat().st_size
