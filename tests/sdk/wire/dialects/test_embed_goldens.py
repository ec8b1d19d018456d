"""Embeddings from each dialect to each other, as their goldens say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.sdk.wire.dialects import dialect_golden as golden
from tests.sdk.wire.dialects import embed_cases as cases

from nexus_sdk.errors import Malformed, UpstreamFailed
from nexus_sdk.wire.dialects import DIALECTS
from nexus_sdk.wire.fidelity import Report

if TYPE_CHECKING:
    from pathlib import Path

REQUESTS = golden.cases("embeddings/requests")
ANSWERS = golden.cases("embeddings/answers")


def others(source: Path) -> list[str]:
    return [name for name in cases.NAMES if name != source.parent.name]


@pytest.mark.parametrize("source", REQUESTS, ids=golden.name)
def test_a_request_reaches_every_other_upstream_as_its_golden_says(
    source: Path, *, regen: bool
) -> None:
    dialect, told = DIALECTS[source.parent.name], {}
    dialect.read(golden.load(source))
    for target in others(source):
        report = Report()
        try:
            chat = dialect.decode_request(golden.load(source)) | {"model": "target"}
            body = DIALECTS[target].encode_request(chat, report)
            told[target] = {"body": body} | {
                "changes": report.changes,
                "drops": report.drops,
                "omissions": report.omissions,
            }
        except Malformed as err:
            told[target] = {"refused": err.message, "param": err.param}
    golden.check(source, "others", golden.pretty(told), regen=regen)


@pytest.mark.parametrize("source", ANSWERS, ids=golden.name)
def test_an_answer_reaches_every_other_client_as_its_golden_says(
    source: Path, *, regen: bool
) -> None:
    chat = DIALECTS[source.parent.name].decode_response(golden.load(source))
    texts = [f"text {place}" for place in range(len(chat["data"]))]
    told: dict[str, Any] = {}
    for target in others(source):
        request = cases.request_of(target, texts)
        if request is None:
            with pytest.raises(UpstreamFailed, match="2 embeddings for 1 input"):
                DIALECTS[target].encode_response(chat, cases.reply(cases.MINIMAL[target]))
            continue
        told[target] = DIALECTS[target].encode_response(chat, cases.reply(request))
    golden.check(source, "others", golden.pretty(told), regen=regen)


def test_every_embeddings_dialect_has_goldens_of_every_kind() -> None:
    for sources in (REQUESTS, ANSWERS):
        assert {source.parent.name for source in sources} == set(cases.NAMES)


@pytest.mark.parametrize("source", REQUESTS, ids=golden.name)
def test_a_request_survives_its_own_codec(source: Path) -> None:
    dialect, doc = DIALECTS[source.parent.name], golden.load(source)
    report = Report(accepts=frozenset({"input_type"}))
    chat = dialect.decode_request(golden.load(source)) | {"model": model_of(doc)}
    back = dialect.encode_request(chat, report)
    for key, value in CHANGED.get(golden.name(source), {}).items():
        assert doc.pop(key) is not None
        assert back.pop(key, None) == value
    assert {key: back.get(key) for key in doc} == doc
    assert cases.told(report) == set()


CHANGED: dict[str, dict[str, Any]] = {
    "bedrock_cohere_embed-query": {"truncate": "END"},
    "gemini_embed-question": {
        "content": {"parts": [{"text": "How long?"}]},
        "task_type": None,  # spelt taskType
    },
    "nova_embed-text": {"schemaVersion": None},
}
"""One of two spellings of the same thing, and a label."""


def model_of(doc: Any) -> str:
    inner = (doc.get("requests") or [{}])[0].get("model")
    return str(doc.get("model") or inner or "m")


@pytest.mark.parametrize("source", ANSWERS, ids=golden.name)
def test_an_answer_survives_its_own_codec(source: Path) -> None:
    dialect, doc = DIALECTS[source.parent.name], golden.load(source)
    request = ASKED.get(golden.name(source)) or cases.request_of(
        source.parent.name, ["x"] * len(dialect.decode_response(golden.load(source))["data"])
    )
    back = dialect.encode_response(
        dialect.decode_response(golden.load(source)), cases.reply(request)
    )
    if "data" in doc:
        doc["data"].sort(key=lambda row: row["index"])
    assert {key: back.get(key) for key in doc} == doc


TWO = ["x", "y"]
ASKED: dict[str, Any] = {
    "openai_embeddings-base64": {"input": TWO, "encoding_format": "base64"},
    "cohere_embed-typed": {"texts": TWO, "embedding_types": ["float", "int8"]},
    "cohere_embed-base64": {"texts": ["x"], "embedding_types": ["base64"]},
    "bedrock_cohere_embed-by_type": {"texts": TWO, "embedding_types": ["ubinary"]},
    "voyage_embed-quantised": {"input": TWO, "output_dtype": "int8"},
    "voyage_embed-base64": {"input": "x", "encoding_format": "base64"},
    "titan_embed-binary": {"inputText": "x", "embeddingTypes": ["float", "binary"]},
}
"""What was asked for these, where it was more than the least."""
