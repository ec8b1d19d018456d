"""The sidecar as an operator has it: start, readiness, numbers, a policy that changes, the end."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest
from tests.sidecar.app_stack import Stack, chat, key, policy, settings
from tests.sidecar.certificates import self_signed

from nexus_sdk.errors import BadSettings
from nexus_sdk.nexus import Nexus
from nexus_sdk.policy.document import Key
from nexus_sdk.policy.keysfile import add_key
from nexus_sidecar.metrics import Metrics
from nexus_sidecar.operations import Operations
from nexus_sidecar.server import Options, Sidecar
from nexus_sidecar.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATH = "/v1/chat/completions"


# ---- start ----------------------------------------------------------------------------------


def test_it_listens_on_this_machine_alone_by_default() -> None:
    assert Options().host == "127.0.0.1"


def test_a_key_is_made_for_the_run_when_the_policy_has_none(stack: Stack) -> None:
    assert re.fullmatch("nvk_[0-9a-f]{64}", stack.sidecar.minted)
    assert stack.post(PATH, chat()).status == 200
    assert stack.post(PATH, chat(), authorization="Bearer nvk_" + "0" * 64).status == 401


def test_no_key_is_made_when_the_policy_has_one(tmp_path: Path) -> None:
    made, entry = key("mine")
    with Stack(tmp_path, lambda url: policy(url, keys=[entry])) as stack:
        assert stack.sidecar.minted == ""
        assert stack.post(PATH, chat(), authorization=f"Bearer {made}").status == 200


def test_the_made_key_is_kept_nowhere(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stack.post(PATH, chat())
    for file in tmp_path_factory.getbasetemp().rglob("*"):
        if file.is_file():
            assert stack.key.encode() not in file.read_bytes(), file


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadSettings, match=rf"cannot listen on 127\.0\.0\.1 port {port}"):
            Sidecar(policy("http://127.0.0.1:9"), Options(port=port), settings(tmp_path))


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing")
    with pytest.raises(BadSettings, match=r"nothing\.pem cannot be used"):
        Sidecar(
            policy("http://127.0.0.1:9"),
            Options(port=0, certificate=nothing, key=nothing),
            settings(tmp_path),
        )
    gc.collect()  # what was opened before is closed, or this warns


def test_it_serves_tls(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    options = Options(port=0, certificate=certificate, key=certificate)
    with Stack(tmp_path, policy, options) as stack:
        assert stack.url.startswith("https://127.0.0.1:")
        context = ssl.create_default_context(cafile=str(certificate))
        got = httpx.post(
            stack.url + PATH,
            json=chat(),
            headers={"authorization": f"Bearer {stack.key}"},
            verify=context,
        )
        assert got.status_code == 200


def test_an_idle_connection_over_tls_does_not_hold_the_end_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client keeps it for later and does not read, so it does not say goodbye."""
    monkeypatch.setattr("nexus_sidecar.gate.LINGER_S", 0.1)
    certificate = self_signed(tmp_path)
    options = Options(port=0, certificate=certificate, key=certificate)
    context = ssl.create_default_context(cafile=str(certificate))
    with (
        httpx.Client(verify=context) as client,
        Stack(tmp_path, policy, options) as stack,
    ):
        assert client.get(f"{stack.url}/healthz").status_code == 200
        stack.stop()


# ---- what it says of itself -----------------------------------------------------------------


def test_health_and_readiness(stack: Stack) -> None:
    assert stack.get("/healthz").doc == {"status": "ok"}
    ready = stack.get("/readyz")
    assert ready.status == 200
    assert ready.doc["status"] == "ok"
    assert ready.doc["policy"] == stack.sidecar.nexus.snapshot.hash
    assert ready.doc["providers"] == ["anthropic", "nobody", "openai"]
    assert (ready.doc["keys"], ready.doc["kill_switch"]) == (1, False)
    assert httpx.head(stack.url + "/healthz").content == b""


def test_metrics_count_what_was_served(stack: Stack) -> None:
    tokens = 'nexus_tokens_total{kind="input",model="gpt-4o",provider="openai"}'
    served = 'nexus_requests_total{endpoint="chat",model="gpt-4o",provider="openai",status="200"}'
    before = stack.metric(tokens), stack.metric(served)
    stack.post(PATH, chat())
    assert stack.metric(tokens) > before[0]
    assert stack.metric(served) == before[1] + 1
    assert stack.metric("nexus_in_flight") == 0


@pytest.mark.parametrize("anywhere", [False, True])
def test_other_machines_see_less(stack: Stack, anywhere: bool) -> None:
    own = Operations(stack.sidecar.nexus, Metrics(), metrics_anywhere=anywhere)
    ready = own.answer("GET", "/readyz", "192.0.2.7")
    metrics = own.answer("GET", "/metrics", "192.0.2.7")
    assert ready is not None
    assert metrics is not None
    assert json.loads(ready.body) == {"status": "ok"}
    assert metrics.status == (200 if anywhere else 403)


def test_a_forwarded_address_is_not_believed(stack: Stack) -> None:
    assert stack.get("/metrics", x_forwarded_for="192.0.2.7").status == 200
    stack.post(PATH, chat(), x_forwarded_for="192.0.2.7")
    assert stack.events()[-1]["caller"]["peer"] == "127.0.0.1"


def test_a_trail_that_cannot_be_written_is_not_ready(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nexus_sdk.drivers.spool import Spool

    monkeypatch.setattr(Spool, "degraded", property(lambda _: True))
    ready = stack.get("/readyz")
    assert (ready.status, ready.doc["status"]) == (503, "degraded")


# ---- a policy that changes ------------------------------------------------------------------


class Filed(Stack):
    """Its policy is a file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "nexus.yaml"
        super().__init__(folder, self._write)

    def _write(self, url: str) -> Path:
        self.change(url)
        return self.file

    def change(self, url: str = "", **more: Any) -> None:
        self.file.write_text(json.dumps(policy(url or self.models.url, **more)))  # JSON is YAML

    def look(self) -> None:
        asyncio.run(self.watch.look())

    @property
    def watch(self) -> Watch:
        app: Any = self.sidecar._server.config.app
        watch: Watch = app._watch
        return watch


@pytest.fixture(scope="module")
def _filed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filed]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nexus_sidecar.watch.LOOK_EVERY_S", 3600)  # the tests say when to look
        with Filed(tmp_path_factory.mktemp("filed")) as running:
            yield running


@pytest.fixture
def filed(_filed: Filed) -> Iterator[Filed]:
    yield _filed
    _filed.change()
    _filed.look()


def test_the_kill_switch_is_an_edit(filed: Filed) -> None:
    assert filed.post(PATH, chat()).status == 200
    filed.change(switches={"kill": True, "kill_reason": "incident 7"})
    filed.look()
    answered = filed.post(PATH, chat())
    assert answered.status == 403
    assert answered.doc["error"]["code"] == "kill_switch"
    assert "incident 7" in answered.doc["error"]["message"]
    assert filed.get("/readyz").doc["kill_switch"]


def test_an_edit_that_is_not_valid_changes_nothing(
    filed: Filed, caplog: pytest.LogCaptureFixture
) -> None:
    before = filed.sidecar.nexus.snapshot.hash
    filed.file.write_text("limits: 5\n")
    filed.look()
    assert filed.sidecar.nexus.snapshot.hash == before
    assert filed.post(PATH, chat()).status == 200
    assert "limits" in caplog.text
    assert "stays" in caplog.text


def test_a_fault_while_reading_changes_nothing(
    filed: Filed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> bool:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(filed.sidecar.nexus, "try_reload", broken)
        filed.change(name="other")
        filed.look()
    assert "ZeroDivisionError" in caplog.text
    assert filed.post(PATH, chat()).status == 200


def test_files_that_did_not_change_are_not_read(
    filed: Filed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filed.sidecar.nexus, "try_reload", lambda: pytest.fail("it was read"))
    filed.look()


def test_it_looks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    class Changing:
        looks = 0
        stamps_in_force = 0

        def source_stamps(self) -> object:
            self.looks += 1
            return self.looks // 3

        def try_reload(self) -> None:
            loop.call_soon_threadsafe(reread.set)

    async def watch_it() -> None:
        watching = asyncio.ensure_future(Watch(cast("Any", nexus)).run())
        await reread.wait()
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching

    monkeypatch.setattr("nexus_sidecar.watch.LOOK_EVERY_S", 0.001)
    nexus, reread = Changing(), asyncio.Event()
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        runner.run(watch_it())
    assert nexus.looks >= 3


def test_a_change_since_the_policy_was_read_is_noticed_by_the_first_look(
    tmp_path: Path,
) -> None:
    """A server compiles its rules before it watches, and the file may change meanwhile."""
    file = tmp_path / "nexus.yaml"
    file.write_text("name: one\n")
    with Nexus(file, settings=settings(tmp_path)) as nexus:
        file.write_text("name: two\n")
        os.utime(file, ns=(1, 1))
        watch = Watch(nexus)
        asyncio.run(watch.look())
        assert nexus.snapshot.policy.name == "two"


def test_a_new_keys_file_is_noticed(filed: Filed) -> None:
    made, entry = key("new")
    add_key(filed.file, Key(**entry))
    filed.look()
    try:
        assert filed.post(PATH, chat(), authorization=f"Bearer {made}").status == 200
    finally:
        filed.file.with_name("nexus.keys.yaml").unlink()


def test_a_request_ends_under_the_policy_it_began_with(filed: Filed) -> None:
    with filed.send(PATH, chat(model="slow", stream=True)) as sock:
        got = b""
        while b"w0 " not in got:
            got += sock.recv(65536)
        filed.change(switches={"kill": True})
        filed.look()
        assert filed.post(PATH, chat()).status == 403
        while b"w3 " not in got:
            got += sock.recv(65536)


# ---- a process of its own -------------------------------------------------------------------

PROGRAM = """
    import sys
    from pathlib import Path
    from nexus_sdk.settings import from_environment
    from nexus_sidecar import watch
    from nexus_sidecar.server import Options, Sidecar

    watch.LOOK_EVERY_S = 3600
    sidecar = Sidecar(Path(sys.argv[1]), Options(port=0), from_environment())
    sidecar.serve(lambda: print(sidecar.url, sidecar.minted, flush=True))
    print("over", flush=True)
"""


class Process:
    """A sidecar as a program, for what hangs on signals."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.running = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PROGRAM), str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NEXUS_STATE_DIR": str(folder / "process")},
        )
        assert self.running.stdout is not None
        self.url, self.key = self.running.stdout.readline().split()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.running.poll() is None:
            self.running.kill()
        self.running.communicate(timeout=10)

    def ask(self) -> int:
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx.post(self.url + PATH, json=chat(), headers=headers).status_code


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_sighup_reads_the_policy_at_once(filed: Filed, tmp_path: Path) -> None:
    with Process(filed.file, tmp_path) as process:
        assert process.ask() == 200
        filed.change(switches={"kill": True})
        process.running.send_signal(signal.SIGHUP)
        assert process.running.stderr is not None
        assert "is in force" in process.running.stderr.readline()
        assert process.ask() == 403


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_a_stream_end(filed: Filed, tmp_path: Path, number: int) -> None:
    with Process(filed.file, tmp_path) as process:
        headers = {"authorization": f"Bearer {process.key}"}
        asked = chat(model="brief", stream=True)
        with httpx.stream("POST", process.url + PATH, json=asked, headers=headers) as got:
            lines = got.iter_lines()
            assert "w0 " in next(line for line in lines if "w0 " in line)
            process.running.send_signal(number)
            assert list(lines)[-2:] == ["data: [DONE]", ""]
        said, _ = process.running.communicate(timeout=20)
        assert said == "over\n"
        assert process.running.returncode == 0
