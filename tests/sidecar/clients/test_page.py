"""What `docs/sidecar.md` says of each client, run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.sidecar.clients.doors import Doors

PAGE = Path(__file__).resolve().parents[3] / "docs" / "sidecar.md"
SECTION = PAGE.read_text(encoding="utf-8").partition("## Pointing a client at it\n")[2]
SECTION = SECTION.partition("\n## ")[0]
PARTS = {part.partition("\n")[0]: part.partition("\n")[2] for part in SECTION.split("\n### ")[1:]}
EXAMPLES = [
    pytest.param(example, id=f"{name}-{place}")
    for name, part in PARTS.items()
    for place, example in enumerate(re.findall(r"```python\n(.*?)```", part, re.DOTALL))
]
(EXAMPLE_OF_AWS, _) = re.findall(r"```python\n(.*?)```", PARTS["AWS"], re.DOTALL)
SHELL = re.findall(r"```sh\n(.*?)```", PARTS["AWS"], re.DOTALL)
VARIABLES = re.findall(r"(AWS_\w+)=(\S+)", "".join(SHELL))


def here(text: str, doors: Doors) -> str:
    return text.replace("http://127.0.0.1:8787", doors.url).replace("nvk_...", doors.key)


def run(example: str, doors: Doors) -> None:
    names: dict[str, Any] = {}
    exec(compile(here(example, doors), str(PAGE), "exec"), names)
    client = names["client"]
    if hasattr(client, "__exit__"):
        client.__exit__(None, None, None)
    else:
        client.close()


def test_every_client_has_its_example() -> None:
    assert list(PARTS) == [
        "OpenAI", "Azure OpenAI", "Anthropic", "Google", "AWS", "Cohere", "Mistral"
    ]  # fmt: skip
    assert len(EXAMPLES) == len(PARTS) + 1


@pytest.fixture(autouse=True)
def _fresh_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 keeps what it found in the environment."""
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example(
    example: str,
    doors: Doors,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")  # of no account
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "unused")
    run(example, doors)
    assert capsys.readouterr().out == "You said: Hello\n"
    assert len(doors.seen()) == 1


def test_the_variables_of_aws(
    doors: Doors, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(VARIABLES) == 5
    for name, value in VARIABLES:
        monkeypatch.setenv(name, here(value, doors))
    begun = 'import boto3\nclient = boto3.client("bedrock-runtime")\n'
    run(begun + EXAMPLE_OF_AWS[EXAMPLE_OF_AWS.index("hello =") :], doors)
    assert capsys.readouterr().out == "You said: Hello\n"
