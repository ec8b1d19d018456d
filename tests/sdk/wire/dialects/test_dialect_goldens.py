from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.sdk.wire.dialects import dialect_golden as golden

from nexus_sdk.errors import Unsupported
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report

if TYPE_CHECKING:
    from pathlib import Path


def others(path: Path) -> list[str]:
    return [name for name in golden.CHATS if name != path.parent.name]


@pytest.mark.parametrize("source", golden.cases("requests"), ids=golden.name)
def test_a_request_reaches_another_upstream_as_its_golden_says(
    source: Path, *, regen: bool
) -> None:
    dialect = DIALECTS[source.parent.name]
    dialect.read(golden.load(source))
    for target in others(source):
        report = Report()
        try:
            body = DIALECTS[target].encode_request(golden.chat(source), report)
            told = {
                "body": body,
                "changes": report.changes,
                "drops": report.drops,
                "omissions": report.omissions,
            }
        except Unsupported as err:
            told = {"refused": err.message, "param": err.param}
        golden.check(source, target, golden.pretty(told), regen=regen)


@pytest.mark.parametrize("source", golden.cases("answers"), ids=golden.name)
def test_an_answer_reaches_another_client_as_its_golden_says(source: Path, *, regen: bool) -> None:
    chat = DIALECTS[source.parent.name].decode_response(golden.load(source))
    for target in others(source):
        body = DIALECTS[target].encode_response(chat, golden.reply())
        golden.check(source, target, golden.pretty(body), regen=regen)


@pytest.mark.parametrize("source", golden.cases("streams"), ids=golden.name)
def test_a_stream_reaches_another_client_as_its_golden_says(source: Path, *, regen: bool) -> None:
    told = golden.chunks(source.parent.name, golden.events(source.read_bytes()))
    for target in others(source):
        text = golden.wire(golden.encoded(target, told)).decode()
        golden.check(source, target, text, regen=regen)


def test_every_dialect_has_goldens_of_every_kind() -> None:
    for kind in ("requests", "answers", "streams"):
        assert {path.parent.name for path in golden.cases(kind)} == set(golden.CHATS)
