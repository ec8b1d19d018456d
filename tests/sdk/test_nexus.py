"""One policy in force: swapped in whole, shared by threads and forks, ended once."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.playbook import chat

from nexus_sdk import settings as settings_module
from nexus_sdk.demo.model_server import ModelServer
from nexus_sdk.drivers.exchanges import SyncEvents
from nexus_sdk.drivers.spool import load_or_create_key, verify
from nexus_sdk.errors import BadPolicy, BadSettings
from nexus_sdk.model import Answer, Caller, Origin
from nexus_sdk.nexus import Nexus
from nexus_sdk.policy.document import Key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_sdk.model import Request
    from nexus_sdk.settings import Settings

EMAIL = "bob@corp-mail.com"


@pytest.fixture(scope="module")
def upstream() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


def settings(folder: Path, **more: str) -> Settings:
    environ = {"NEXUS_STATE_DIR": str(folder / "state"), "NEXUS_CACHE_DIR": str(folder / "cache")}
    return settings_module.read({**environ, **more})


def asked(server: ModelServer, text: str = f"I am {EMAIL}", **more: Any) -> Request:
    from dataclasses import replace

    return replace(chat(text, **more), origin=Origin(f"{server.url}/v1"))


def one_word(word: str, action: str = "redact") -> dict[str, Any]:
    """A policy named after the only word that it acts on."""
    own = [{"id": f"own.{word}", "words": [word]}]
    return {"name": word, "compliance": {"hooks": [{"name": "h", "own": own, "action": action}]}}


# ---- in force ------------------------------------------------------------------------------------


def test_a_request_is_served_in_both_colours(upstream: ModelServer) -> None:
    events: list[Any] = []
    with Nexus(app="shop", observe=events.append) as nexus:
        answer = nexus.run(asked(upstream))
        assert isinstance(answer, Answer)
        assert b"You said: I am bob@corp-mail.com" in answer.body

        async def main() -> Any:
            try:
                return await nexus.arun(asked(upstream))
            finally:
                await nexus.aclose()

        assert EMAIL.encode() in asyncio.run(main()).body
    assert [event["outcome"] for event in events] == ["complete", "complete"]
    assert not any(EMAIL.encode() in seen.body for seen in upstream.requests)


def test_the_application_is_a_caller() -> None:
    with Nexus({}, app="shop") as nexus:
        assert nexus.app == Caller(key_id="app:shop", app="shop")
        assert nexus.caller("eve", {"team": "x"}) == Caller(
            "app:shop", "eve", app="shop", tags={"team": "x"}
        )
    with Nexus({}) as nexus:
        assert nexus.app.key_id == "app:default"


def test_a_policy_that_is_not_valid_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(BadPolicy):
        Nexus({"providers": {"x": {"kind": "no such kind"}}})


def test_keys_beside_the_policy_s_own() -> None:
    extra = Key(id="temporary", digest="a" * 64)
    with Nexus({"keys": [{"id": "own", "digest": "b" * 64}]}, keys=[extra]) as nexus:
        assert len(nexus.snapshot.keys) == 2
        nexus.reload({})
        assert len(nexus.snapshot.keys) == 1


def test_explaining_is_at_hand() -> None:
    with Nexus({}) as nexus:
        told = nexus.explain({"model": "m", "messages": [{"role": "user", "content": EMAIL}]})
        assert told["would"] == "send"
        assert told["caller"]["key"] == "app:default"


def test_ids_are_sorted_by_time_and_unique() -> None:
    from uuid import UUID

    with Nexus({}) as nexus:
        ids = [nexus.new_id() for _ in range(5000)]
    assert len(set(ids)) == 5000
    assert all(UUID(one).version == 7 and UUID(one).variant == UUID(ids[0]).variant for one in ids)
    assert [one[:13] for one in ids] == sorted(one[:13] for one in ids)
    assert len({one[19:] for one in ids}) == 5000


def test_transports_and_wrapping_are_at_hand(upstream: ModelServer) -> None:
    import httpx

    with Nexus({}, app="shop") as nexus:
        with httpx.Client(transport=nexus.transport("httpx", user="eve")) as client:
            body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
            assert client.post(f"{upstream.url}/v1/chat/completions", json=body).status_code == 200
        assert nexus.async_transport("httpx") is not None
        plain = httpx.Client()
        assert nexus.wrap(plain) is plain
        plain.close()
        with pytest.raises(TypeError):
            nexus.wrap(object())


# ---- another policy ------------------------------------------------------------------------------


def test_a_reload_puts_another_policy_in_force(upstream: ModelServer) -> None:
    with Nexus(one_word("bluebird")) as nexus:
        first = nexus.snapshot
        assert nexus.reload(one_word("redstart")) == nexus.snapshot.hash != first.hash
        assert nexus.snapshot.policy.name == "redstart"
        assert nexus.snapshot.health is first.health, "what is known of providers stays known"
        assert nexus.reload() == nexus.snapshot.hash, "the same source again"


def test_a_policy_that_is_not_valid_changes_nothing() -> None:
    with Nexus(one_word("bluebird")) as nexus:
        before, stamps = nexus.snapshot, nexus.source_stamps()
        with pytest.raises(BadPolicy):
            nexus.reload({"no such field": 1})
        assert nexus.snapshot is before
        assert nexus.source_stamps() == stamps
        assert nexus.reload() == before.hash


def test_the_files_of_a_policy_are_watched(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "nexus.yaml"
    file.write_text("name: one\n")
    with Nexus(file, settings=settings(tmp_path)) as nexus:
        stamps = dict(nexus.source_stamps())
        assert set(map(Path, stamps)) == {file, tmp_path / "nexus.keys.yaml"}
        assert stamps[str(tmp_path / "nexus.keys.yaml")] == 0
        file.write_text("name: two\n")
        os.utime(file, ns=(1, 1))
        assert dict(nexus.source_stamps())[str(file)] == 1
        assert nexus.try_reload()
        assert nexus.snapshot.policy.name == "two"
        file.write_text("name: [")
        with caplog.at_level(logging.ERROR, "nexus"):
            assert not nexus.try_reload()
        assert "the one in force stays" in caplog.text
        assert nexus.snapshot.policy.name == "two"


def test_a_smaller_cache_is_made_smaller() -> None:
    with Nexus({}) as nexus:
        nexus.reload({"cache": {"max_entries": 3}})
        assert nexus.store._answers._max_entries == 3


def test_each_event_names_the_policy_that_judged_it(upstream: ModelServer) -> None:
    """Every policy acts on one word only: what was found tells which one has judged."""
    events: list[Any] = []
    words = ["alpha", "bravo", "delta", "gamma"]
    with Nexus(one_word("alpha"), observe=events.append) as nexus:
        hashes = {nexus.reload(one_word(word)): word for word in words}
        done = threading.Event()

        def work() -> None:
            while not done.is_set():
                request = asked(upstream, " ".join(words), stream=True)
                answer = nexus.run(request)
                assert isinstance(answer, SyncEvents)
                list(answer)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for turn in range(40):
            nexus.reload(one_word(words[turn % 4]))
        done.set()
        for thread in threads:
            thread.join()
    assert len(events) >= 4
    for event in events:
        found = {finding["rule"] for finding in event["findings"] if finding["stage"] == "request"}
        assert found == {f"own.{hashes[event['policy']]}"}
        assert event["outcome"] == "complete"


def test_a_stream_ends_under_the_policy_it_began_with(upstream: ModelServer) -> None:
    events: list[Any] = []
    with Nexus(one_word("bluebird"), observe=events.append) as nexus:
        first = nexus.snapshot.hash
        running = nexus.run(asked(upstream, "the bluebird sings", stream=True))
        assert isinstance(running, SyncEvents)
        iterator = iter(running)
        next(iterator)
        nexus.reload({"switches": {"kill": True}})
        text = b"".join(event.wire() for event in iterator)
        assert b"[DONE]" in text
        refused = nexus.run(asked(upstream))
        assert isinstance(refused, Answer)
        assert refused.status == 403
    assert [event["policy"] == first for event in events] == [True, False]


# ---- the trail -----------------------------------------------------------------------------------


def test_events_are_on_disk_when_it_is_closed(upstream: ModelServer, tmp_path: Path) -> None:
    nexus = Nexus({}, settings=settings(tmp_path))
    for _ in range(3):
        nexus.run(asked(upstream))
    for _ in range(2):
        nexus.close()
    report = verify(
        tmp_path / "state" / "audit", load_or_create_key(tmp_path / "state" / "audit.key")
    )
    assert not report.problems
    assert [chain.events for chain in report.chains] == [3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_works_and_has_a_chain_of_its_own(
    upstream: ModelServer, tmp_path: Path
) -> None:
    nexus = Nexus({}, settings=settings(tmp_path))
    nexus.run(asked(upstream))
    child = os.fork()
    if not child:
        status = 1
        try:
            answer = nexus.run(asked(upstream))
            stream = nexus.run(asked(upstream, stream=True))
            assert isinstance(answer, Answer)
            assert isinstance(stream, SyncEvents)
            status = 0 if EMAIL.encode() in answer.body and len(list(stream)) > 2 else 2
            nexus.close()
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    nexus.run(asked(upstream))
    nexus.close()
    report = verify(
        tmp_path / "state" / "audit", load_or_create_key(tmp_path / "state" / "audit.key")
    )
    assert not report.problems
    assert sorted(chain.events for chain in report.chains) == [2, 2]


@pytest.mark.parametrize("mode", ["strict", "batched"])
def test_the_setting_wins_over_the_policy_s_mode(tmp_path: Path, mode: str) -> None:
    with Nexus({}, settings=settings(tmp_path, NEXUS_AUDIT=mode)) as nexus:
        assert nexus.snapshot.policy.audit.mode == mode
        assert nexus.spool is not None


def test_a_trail_can_be_turned_off_but_not_a_strict_one(
    tmp_path: Path, upstream: ModelServer
) -> None:
    off = settings(tmp_path, NEXUS_AUDIT="off")
    with Nexus({}, settings=off) as nexus:
        assert nexus.spool is None
        assert isinstance(nexus.run(asked(upstream)), Answer)
    assert not (tmp_path / "state" / "audit").exists()
    with pytest.raises(BadSettings, match="demands a strict audit trail"):
        Nexus({"audit": {"mode": "strict"}}, settings=off)


# ---- what has to be kept -------------------------------------------------------------------------


def blocked(tmp_path: Path, **more: str) -> Settings:
    """A state folder that cannot be made."""
    (tmp_path / "file").write_text("in the way")
    environ = {
        "NEXUS_STATE_DIR": str(tmp_path / "file" / "state"),
        "NEXUS_CACHE_DIR": str(tmp_path),
    }
    return settings_module.read({**environ, **more})


def test_placeholders_are_the_same_after_a_restart(tmp_path: Path, upstream: ModelServer) -> None:
    upstream.clear()
    for organisation in ("one", "one", "two"):
        with Nexus({"organisation": organisation}, settings=settings(tmp_path)) as nexus:
            nexus.run(asked(upstream))
    first, again, other = [seen.body for seen in upstream.requests]
    assert first == again != other


def test_without_a_place_to_keep_its_secret_placeholders_are_this_process_s_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "nexus"):
        Nexus({}, settings=blocked(tmp_path, NEXUS_AUDIT="off")).close()
    assert "placeholders will change" in caplog.text


@pytest.mark.parametrize(
    ("policy", "audit"), [({}, "batched"), ({"keys": [{"id": "k", "digest": "a" * 64}]}, "off")]
)
def test_where_it_is_needed_its_loss_is_an_error(tmp_path: Path, policy: Any, audit: str) -> None:
    with pytest.raises(BadSettings):
        Nexus(policy, settings=blocked(tmp_path, NEXUS_AUDIT=audit))


def test_the_proxies_of_the_environment_are_used(tmp_path: Path) -> None:
    environ = {"HTTP_PROXY": "http://upper:1", "http_proxy": "http://lower:1", "NO_PROXY": "x"}
    nexus = Nexus({}, settings=settings(tmp_path, **environ))
    assert nexus._proxies() == {"http": "http://lower:1", "no": "x"}
    nexus.close()
