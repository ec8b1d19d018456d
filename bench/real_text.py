"""Real text through every door: no error, one event each, and nothing redacted ever leaves.

    python -m bench.real_text FILE.jsonl[.gz] ...

Each row's `text` is sent to a model server on this machine that says it back: by the client sync,
async and streamed, and by the stock client through a sidecar. Exit status 1 when anything is amiss.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai

import nexus_sdk
from nexus_sdk.cli.scanning import Scan
from nexus_sdk.compliance.vault import Vault
from nexus_sdk.demo.model_server import ModelServer
from nexus_sdk.drivers.matcher import attach
from nexus_sdk.drivers.spool import events as events_in
from nexus_sdk.settings import Settings
from nexus_sidecar.server import Options, Sidecar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODEL = "gpt-4o-mini"
SAID = "You said: "
READY_S = 30.0


@dataclass(slots=True)
class Report:
    """`wrong` says what, and in which row."""

    sent: int = 0
    redacted: int = 0
    wrong: list[str] = field(default_factory=list)


class Judge:
    """Knows what the policy redacts in a text, and looks at what the upstream got."""

    def __init__(self, nexus: nexus_sdk.Nexus) -> None:
        self._effective = nexus.snapshot.request_hooks.effective("chat", MODEL, "")
        self._mac = nexus.snapshot.placeholder_mac
        attach([self._effective.scanner], nexus.settings.cache_dir, wait=True)

    def values(self, text: str) -> list[str]:
        scan = Scan(self._effective, Vault(self._mac))
        for _ in scan.parts([text]):
            pass
        hits = scan.take()
        lines = text.split("\n")
        starts = [0, *itertools.accumulate(len(line) + 1 for line in lines)]
        places = ((starts[h.line - 1] + h.column - 1, h) for h in hits if h.action == "redact")
        return [text[at : at + hit.length] for at, hit in places]


def rows(path: Path) -> Iterator[tuple[str, str]]:
    """Id and text of each row."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            row = json.loads(line)
            yield str(row.get("id", number)), row["text"]


def _asked(text: str) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}]}


def _streamed(client: Any, text: str) -> str:
    chunks = client.chat.completions.create(**_asked(text), stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def _whole(client: Any, text: str) -> str:
    return str(client.chat.completions.create(**_asked(text)).choices[0].message.content)


class Async:
    """An async client on a loop that lives as long as this does."""

    def __init__(self, client: nexus_sdk.AsyncOpenAI) -> None:
        self._client = client
        self._runner = asyncio.Runner()

    def whole(self, text: str) -> str:
        return self._runner.run(self._whole(text))

    def streamed(self, text: str) -> str:
        return self._runner.run(self._streamed(text))

    async def _whole(self, text: str) -> str:
        got: Any = await self._client.chat.completions.create(**_asked(text))
        return str(got.choices[0].message.content)

    async def _streamed(self, text: str) -> str:
        chunks: Any = await self._client.chat.completions.create(**_asked(text), stream=True)
        said = [c.choices[0].delta.content or "" async for c in chunks if c.choices]
        return "".join(said)

    def close(self) -> None:
        self._runner.run(self._client.close())
        self._runner.close()


def play(
    ask: Callable[[str], str],
    texts: list[tuple[str, str]],
    judge: Judge,
    server: ModelServer,
) -> Report:
    """Send every text one way."""
    report = Report()
    for name, text in texts:
        server.clear()
        report.sent += 1
        try:
            answer = ask(text)
        except openai.OpenAIError as err:
            report.wrong.append(f"{name}: {err}")
            continue
        values = judge.values(text)
        report.redacted += bool(values)
        (seen,) = server.requests
        body = json.loads(seen.body)["messages"][-1]["content"]
        if any(value in body for value in values):
            report.wrong.append(f"{name}: a redacted value reached the upstream")
        if not values and body != text:
            report.wrong.append(f"{name}: changed on the way out, with nothing to redact")
        if answer != SAID + text:
            report.wrong.append(f"{name}: changed on the way back")
    return report


def _ways(
    nexus: nexus_sdk.Nexus, server: ModelServer, sidecar: Sidecar
) -> Iterator[tuple[str, Callable[[str], str]]]:
    at = {"base_url": f"{server.url}/v1", "api_key": "sk-test", "max_retries": 0, "nexus": nexus}
    with nexus_sdk.OpenAI(**at) as client:  # type: ignore[arg-type]
        yield "client", lambda text: _whole(client, text)
        yield "client, streamed", lambda text: _streamed(client, text)
    own = Async(nexus_sdk.AsyncOpenAI(**at))  # type: ignore[arg-type]
    yield "async client", own.whole
    yield "async client, streamed", own.streamed
    own.close()
    with openai.OpenAI(
        base_url=f"{sidecar.url}/v1", api_key=sidecar.minted or "", max_retries=0
    ) as stock:
        yield "sidecar", lambda text: _whole(stock, text)
        yield "sidecar, streamed", lambda text: _streamed(stock, text)


def run(paths: list[Path], folder: Path) -> bool:
    """Play all files every way under the default policy, and say whether all was well."""
    texts = [row for path in paths for row in rows(path)]
    settings = Settings(state_dir=folder / "state", cache_dir=folder / "cache", node="bench")
    well, sent = True, 0
    with ModelServer() as server:
        upstream = {"kind": "openai", "api_key": "sk-test", "private_network": True}
        policy: Any = {"providers": {"openai": upstream | {"base_url": f"{server.url}/v1"}}}
        with (
            nexus_sdk.Nexus(policy, settings=settings) as nexus,
            _serving(Sidecar(policy, Options(port=0), settings)) as sidecar,
        ):
            judge = Judge(nexus)
            for way, ask in _ways(nexus, server, sidecar):
                report = play(ask, texts, judge, server)
                sent += report.sent
                well &= _told(way, report)
    told = [entry.event["id"] for entry in events_in(settings.state_dir / "audit")]
    print(f"{sent} requests, {len(told)} events, {len(set(told))} different")
    return well and len(told) == len(set(told)) == sent


@contextmanager
def _serving(sidecar: Sidecar) -> Iterator[Sidecar]:
    ready = threading.Event()
    thread = threading.Thread(target=sidecar.serve, args=(ready.set,))
    thread.start()
    try:
        if not ready.wait(READY_S):
            raise TimeoutError("the sidecar did not start")
        yield sidecar
    finally:
        sidecar.stop()
        thread.join()


def _told(way: str, report: Report) -> bool:
    print(f"{way:24} {report.sent:6} sent  {report.redacted:5} redacted", end="  ")
    print(f"{len(report.wrong)} wrong", *report.wrong[:5], sep="\n  ")
    return not report.wrong


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(not run([Path(name) for name in sys.argv[1:]], Path(scratch)))
