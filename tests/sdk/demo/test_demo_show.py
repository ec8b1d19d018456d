"""The demonstration: it shows what it says, and notices when it does not."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from nexus_sdk.demo import acts, scene
from nexus_sdk.demo.scene import Scene
from nexus_sdk.demo.screen import Screen
from nexus_sdk.demo.show import run
from nexus_sdk.errors import BadSettings

if TYPE_CHECKING:
    from collections.abc import Iterator


class Watched(Console):
    """A console whose text is kept."""

    def __init__(self, **more: Any) -> None:
        self.kept = io.StringIO()
        super().__init__(file=self.kept, markup=False, highlight=False, emoji=False, **more)

    @property
    def text(self) -> str:
        return self.kept.getvalue()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The streamed answer comes at once."""
    made = scene.policy

    def at_once(openai: dict[str, Any], *, pace: str = "") -> dict[str, Any]:
        return made(openai)

    monkeypatch.setattr(scene, "policy", at_once)


def test_every_step_is_shown() -> None:
    console = Watched(width=200)
    assert run(console) == 0
    assert console.text.count("✓") == len(acts.ACTS)
    assert "✗" not in console.text
    for said in (
        "the provider got  Repeat word for word: <EMAIL_",
        f"you got back      You said: Repeat word for word: {acts.EMAIL}",
        "PolicyBlocked: ",
        "[REDACTED:CODE_NAMES]",
        "QuotaExceeded: ",
        "POST /v1/chat/completions",
        "this line is not as it was written",
    ):
        assert said in console.text


def test_where_nobody_watches_the_text_is_plain() -> None:
    console = Watched()
    assert run(console) == 0
    assert "\x1b" not in console.text
    assert max(map(len, console.text.splitlines())) <= 80


def test_where_somebody_watches_it_has_colours() -> None:
    console = Watched(force_terminal=True, color_system="standard")
    assert run(console) == 0
    assert "\x1b[" in console.text


def test_a_terminal_without_the_signs() -> None:
    console = Watched()
    console.file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Screen(console).shown("all is well")
    console.file.flush()
    assert console.file.buffer.getvalue().split() == [b"ok:", b"all", b"is", b"well"]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"compliance": {"hooks": []}}, "a value reached the provider"),
        ({"cache": {"enabled": False}}, "the provider was asked twice"),
        ({"limits": []}, "the limit did not hold"),
    ],
)
def test_a_step_that_does_not_show_it_fails(
    monkeypatch: pytest.MonkeyPatch, broken: dict[str, Any], says: str
) -> None:
    made = scene.policy
    monkeypatch.setattr(scene, "policy", lambda openai, *, pace="": made(openai) | broken)
    console = Watched(width=200)
    assert run(console) == 1
    assert says in console.text
    assert "Not shown: " in console.text


def test_a_fault_is_told_and_the_other_steps_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise ZeroDivisionError("no reason")

    monkeypatch.setattr("nexus_sdk.demo.show.ACTS", (broken, acts.block))
    console = Watched(width=200)
    assert run(console) == 1
    assert "✗ ZeroDivisionError: no reason" in console.text
    assert "Not shown: broken" in console.text
    assert console.text.count("✓") == 1


@pytest.fixture
def open_scene() -> Iterator[Scene]:
    with Scene(live=False) as opened:
        yield opened


def test_without_anthropic_the_request_is_plain_http(
    open_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "anthropic", None)
    console = Watched(width=200)
    acts.sidecar(open_scene, Screen(console))
    assert "anthropic is not installed" in console.text
    assert f"you got back      You said: Repeat word for word: {acts.EMAIL}" in console.text


def test_without_the_sidecar_its_step_says_so(
    open_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nexus_sidecar.server", None)
    console = Watched(width=200)
    acts.sidecar(open_scene, Screen(console))
    assert "pip install nexus-sdk[sidecar]" in console.text


def test_live_without_a_key() -> None:
    with pytest.raises(BadSettings, match="OPENAI_API_KEY"):
        run(Watched(), live=True)


def test_live_sees_what_its_own_clients_send(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of `--live`, with this machine in the place of OpenAI."""

    def local(self: Scene) -> dict[str, Any]:
        made = Scene._local_policy(self)
        self._models = None
        return made

    monkeypatch.setattr(Scene, "_live_policy", local)
    console = Watched(width=200)
    assert run(console, live=True) == 0
    assert "the provider got  Repeat word for word: <EMAIL_" in console.text
