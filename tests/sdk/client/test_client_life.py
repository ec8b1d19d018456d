"""Copies, pickles, threads, event loops, forks, the end of a process; and a policy that changes
under load."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from tests.sdk.client.conftest import ASK, MAIL

import nexus_sdk

if TYPE_CHECKING:
    from pathlib import Path

    from nexus_sdk.demo.model_server import ModelServer
    from nexus_sdk.model import Event

PROBE: dict[str, Any] = {
    "model": "bench",
    "messages": [{"role": "user", "content": "I am ann@example.com"}],
}
MASKED: dict[str, Any] = {"compliance": MAIL}
NO_MAIL: dict[str, Any] = {"compliance": {"hooks": [{**MAIL["hooks"][0], "action": "block"}]}}


def test_results_are_pickled_and_copied(client: nexus_sdk.OpenAI) -> None:
    whole = client.chat.completions.create(**ASK)
    answers = [
        whole,
        client.responses.create(model="gpt-4o", input="Hello"),
        client.embeddings.create(model="m", input="Hello"),
        *client.chat.completions.create(**ASK, stream=True),
    ]
    for answer in answers:
        assert pickle.loads(pickle.dumps(answer)) == answer
        assert copy.deepcopy(answer) == answer
    assert pickle.loads(pickle.dumps(whole))._request_id == whole._request_id


def test_copies_keep_policy_user_and_tags(
    upstream: ModelServer, nexus: nexus_sdk.Nexus, events: list[Event]
) -> None:
    client = nexus_sdk.OpenAI(
        base_url=f"{upstream.url}/v1", api_key="k", nexus=nexus, user="ann", tags={"team": "blue"}
    )
    for one in (client, client.with_options(timeout=9), client.copy(max_retries=1).copy()):
        assert type(one) is nexus_sdk.OpenAI
        one.chat.completions.create(**ASK)
        one.models.list()
    assert len(events) == 6
    assert {event["caller"]["user"] for event in events} == {"ann"}
    assert all(event["caller"]["tags"] == {"team": "blue"} for event in events)


def test_a_subclass_that_changes_requests_is_heard(
    upstream: ModelServer, nexus: nexus_sdk.Nexus
) -> None:
    class Ours(nexus_sdk.OpenAI):
        def _prepare_request(self, request: Any) -> None:
            request.headers["x-signed"] = "yes"

    Ours(base_url=f"{upstream.url}/v1", api_key="k", nexus=nexus).chat.completions.create(**ASK)
    assert upstream.requests[0].headers["x-signed"] == "yes"


def test_many_threads_share_a_client(client: nexus_sdk.OpenAI, events: list[Event]) -> None:
    def call(number: int) -> bool:
        said = f"I am number {number}"
        messages: Any = [{"role": "user", "content": said}]
        if number % 2:
            answer = client.chat.completions.create(model="gpt-4o", messages=messages)
            return said in (answer.choices[0].message.content or "")
        chunks = client.chat.completions.create(model="gpt-4o", messages=messages, stream=True)
        return said in "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)

    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(call, range(100)))
    assert len(events) == 100
    assert len({event["id"] for event in events}) == 100


async def _both(client: nexus_sdk.AsyncOpenAI) -> int:
    whole = client.chat.completions.create(**ASK)
    chunks = await client.chat.completions.create(**ASK, stream=True)
    return len([chunk async for chunk in chunks]) + len((await whole).choices)


def test_one_client_on_several_loops(aclient: nexus_sdk.AsyncOpenAI, events: list[Event]) -> None:
    for _ in range(3):
        assert asyncio.run(_both(aclient)) > 2
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: asyncio.run(_both(aclient)), range(8)))
    assert len(events) == 22


def test_many_tasks_share_a_client(aclient: nexus_sdk.AsyncOpenAI, events: list[Event]) -> None:
    async def main() -> list[int]:
        return await asyncio.gather(*(_both(aclient) for _ in range(20)))

    assert len(asyncio.run(main())) == 20
    assert len(events) == 40


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_goes_on(client: nexus_sdk.OpenAI) -> None:
    client.chat.completions.create(**ASK)
    child = os.fork()
    if not child:
        said = client.chat.completions.create(**ASK).choices[0].message.content or ""
        os._exit(0 if said.startswith("You said") else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert client.chat.completions.create(**ASK).choices


SCRIPT = """
from nexus_sdk import OpenAI
ask = {{"model": "gpt-4o", "messages": [{{"role": "user", "content": "Hello"}}]}}
client = OpenAI(base_url={url!r}, api_key="k")
print(client.chat.completions.create(**ask).id[:8])
print(client.responses.create(model="gpt-4o", input="Hello").id[:5])
print(len(list(client.chat.completions.create(**ask, stream=True))) > 2)
"""


def test_a_script_that_just_ends_leaves_its_trail(upstream: ModelServer, tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(SCRIPT.format(url=f"{upstream.url}/v1"))
    environ = {**os.environ, "NEXUS_STATE_DIR": str(tmp_path / "state")}
    done = subprocess.run(  # noqa: PLW1510  its words are asserted
        [sys.executable, "-W", "error", file], env=environ, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["chatcmpl", "resp_", "True"]
    trail = b"".join(
        path.read_bytes() for path in (tmp_path / "state" / "audit").rglob("*") if path.is_file()
    )
    assert trail.count(b'"endpoint"') == 3


def test_a_clients_own_policy_ends_with_it(upstream: ModelServer) -> None:
    with nexus_sdk.OpenAI(
        base_url=f"{upstream.url}/v1", api_key="k", policy={"compliance": MAIL}
    ) as client:
        client.chat.completions.create(**ASK)
        threads = [t for t in threading.enumerate() if t.name.startswith("nexus-spool")]
    assert client.is_closed()
    assert not any(thread.is_alive() for thread in threads)


def test_a_shared_policy_does_not(
    client: nexus_sdk.OpenAI, upstream: ModelServer, nexus: nexus_sdk.Nexus
) -> None:
    client.close()
    other = nexus_sdk.OpenAI(base_url=f"{upstream.url}/v1", api_key="k", nexus=nexus)
    assert other.chat.completions.create(**ASK).choices


def test_the_policy_changes_under_load(
    client: nexus_sdk.OpenAI, nexus: nexus_sdk.Nexus, upstream: ModelServer, events: list[Event]
) -> None:
    """Every request is judged by one policy alone, and its event names that one."""
    verdicts = {nexus.reload(NO_MAIL): "block", nexus.reload(MASKED): "redact"}
    stop = threading.Event()

    def calls() -> int:
        made = 0
        while not stop.is_set():
            with contextlib.suppress(nexus_sdk.PolicyBlocked):
                client.chat.completions.create(**PROBE)
            made += 1
        return made

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(calls) for _ in range(8)]
        for turn in range(30):
            nexus.reload((NO_MAIL, MASKED)[turn % 2])
        stop.set()
        made = sum(thread.result() for thread in running)
    assert len(events) == made
    assert {event["policy"] for event in events} == set(verdicts)
    assert all(event["decision"] == verdicts[event["policy"]] for event in events)
    assert not any(b"ann@example.com" in request.body for request in upstream.requests)


def test_a_stream_ends_under_the_policy_that_it_began_with(
    client: nexus_sdk.OpenAI, nexus: nexus_sdk.Nexus, events: list[Event]
) -> None:
    first = nexus.reload(MASKED)
    stream = client.chat.completions.create(**ASK, stream=True)
    nexus.reload({"compliance": MAIL, "switches": {"kill": True}})
    assert len(list(stream)) > 2
    assert [(event["policy"], event["outcome"]) for event in events] == [(first, "complete")]
