"""Cells of operations that do not stream: embeddings and rankings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from tests.conformance import documented, places, troubles
from tests.conformance.cells import Outcome, Wrong
from tests.conformance.values import Unsaid
from tests.conformance.wires import rankings, vectors
from tests.conformance.wires.rankings import RANKING, Rank, Ranked
from tests.conformance.wires.vectors import TOKENS, VECTORS, Embed, Embedded

if TYPE_CHECKING:
    from tests.conformance.lab import Got, Lab
    from tests.conformance.places import Place
    from tests.conformance.values import Facts, Json, Wire

WIRES: dict[str, Wire] = {**vectors.WIRES, **rankings.WIRES}
_EMBEDDINGS = (
    "openai_embeddings", "cohere_embed", "gemini_batch_embed", "gemini_embed", "vertex_embed",
    "voyage_embed", "titan_embed", "nova_embed", "bedrock_cohere_embed",
)  # fmt: skip


@dataclass(frozen=True)
class PlainDoor:
    """`order`: the formats of its kind, the first that a place speaks being taken after its own."""

    name: str
    endpoint: str
    wire: Wire
    path: str
    order: tuple[str, ...]


DOORS: tuple[PlainDoor, ...] = (
    *(
        PlainDoor(name, endpoint, WIRES[wire], path, _EMBEDDINGS)
        for name, endpoint, wire, path in (
            ("OpenAI embeddings", "embeddings", "openai_embeddings", "/embeddings"),
            (
                "Azure embeddings",
                "embeddings",
                "openai_embeddings",
                "/deployments/{model}/embeddings",
            ),
            ("Cohere embed", "cohere_embed", "cohere_embed", "/v2/embed"),
            (
                "Gemini batchEmbedContents",
                "batch_embed_contents",
                "gemini_batch_embed",
                "/models/{model}:batchEmbedContents",
            ),
            (
                "Gemini embedContent",
                "embed_content",
                "gemini_embed",
                "/models/{model}:embedContent",
            ),
        )
    ),
    PlainDoor(
        "Cohere rerank",
        "rerank",
        WIRES["cohere_rerank"],
        "/v2/rerank",
        ("cohere_rerank", "voyage_rerank"),
    ),
    PlainDoor(
        "Voyage rerank",
        "voyage_rerank",
        WIRES["voyage_rerank"],
        "/rerank",
        ("cohere_rerank", "voyage_rerank"),
    ),
)


@dataclass(frozen=True)
class PlainFeature:
    name: str
    column: str
    ask: Any
    say: Any


_TWO = ("a boat", "an oar")
EMBEDDINGS: tuple[PlainFeature, ...] = (
    PlainFeature("one text", "single", Embed(), Embedded()),
    PlainFeature("several texts", "batch", Embed(_TWO), Embedded(_TWO)),
    PlainFeature("dimensions", "dim", Embed(dimensions=256), Embedded()),
    PlainFeature("vectors as base64", "b64", Embed(base64=True), Embedded()),
    PlainFeature("error: key refused", "401", Embed(), Embedded(trouble="auth")),
    PlainFeature("error: too many requests", "429", Embed(), Embedded(trouble="rate")),
)
RANKINGS: tuple[PlainFeature, ...] = (
    PlainFeature("ranking", "rank", Rank(), Ranked()),
    PlainFeature("the best only", "most", Rank(most=1), Ranked(RANKING[:1])),
    PlainFeature("error: key refused", "401", Rank(), Ranked(trouble="auth")),
    PlainFeature("error: too many requests", "429", Rank(), Ranked(trouble="rate")),
)


def features(door: PlainDoor) -> tuple[PlainFeature, ...]:
    return EMBEDDINGS if door.order is _EMBEDDINGS else RANKINGS


def serves(place: Place, door: PlainDoor) -> str:
    """The wire format in which a door's requests reach a place; empty when it has none."""
    if door.wire.name in place.spots:
        return door.wire.name
    return next((name for name in door.order if name in place.spots), "")


def run(lab: Lab, door: PlainDoor, place: Place, feature: PlainFeature) -> Outcome:
    wire = WIRES[serves(place, door)]
    try:
        return _run(lab, door, place, feature, wire)
    except Unsaid as lack:
        return Outcome("absent", str(lack))
    except Wrong as fault:
        return Outcome("FAIL", str(fault))
    except (AssertionError, KeyError, ValueError, ValidationError) as fault:
        said = " ".join(f"{type(fault).__name__}: {fault}".split())
        return Outcome("FAIL", f"the caller cannot read it: {said[:200]}")


def _run(lab: Lab, door: PlainDoor, place: Place, feature: PlainFeature, wire: Wire) -> Outcome:
    vendors, model = lab.vendors, places.route(place)
    body = door.wire.write(feature.ask, model, False)
    sayable = _sayable(wire, feature, place)
    vendors.expect(feature.say if sayable else type(feature.say)())
    got = lab.ask(door.endpoint, door.path.replace("{model}", model), body)
    if vendors.faults:
        raise Wrong(f"the provider would not take it: {vendors.faults[0]}")
    if not vendors.bodies:
        return _refused(got, door, place, feature, wire)
    _compare(_wanted(feature.ask), vendors.heard[0], "the provider heard")
    if feature.say.trouble:
        troubles.check(door.wire.name, feature.say.trouble, got)
        return Outcome("pass")
    if not sayable:
        raise Wrong("asked for what the provider cannot give")
    if got.status != 200:
        raise Wrong(f"status {got.status}: {got.body[:200]!r}")
    _compare(_promised(feature, door, wire), door.wire.said(json.loads(got.body)), "the caller got")
    return Outcome("pass")


def _sayable(wire: Wire, feature: PlainFeature, place: Place) -> bool:
    try:
        wire.answer(feature.say, place.provider)
    except Unsaid:
        return False
    return True


def _refused(got: Got, door: PlainDoor, place: Place, feature: PlainFeature, wire: Wire) -> Outcome:
    code, param = troubles.refusal(door.wire.name, got)
    if got.status != 400 or code != "unsupported_feature" or not param:
        raise Wrong(f"refused with {got.status}, code {code!r}, param {param!r}")
    why = documented.refusal(feature.name, place, wire.name, param)
    if why is None:
        raise Wrong(f"refused for {param} without a documented reason")
    return Outcome("refused", why)


def _wanted(ask: Any) -> Facts:
    if isinstance(ask, Rank):
        return {"query": ask.query, "documents": ask.documents, "most": ask.most}
    return {"texts": ask.texts, "dimensions": ask.dimensions}


def _promised(feature: PlainFeature, door: PlainDoor, wire: Wire) -> Facts:
    if isinstance(feature.say, Ranked):
        return {"ranking": feature.say.ranking}
    out: Facts = {"vectors": VECTORS[: len(feature.say.texts)]}
    if feature.ask.base64:
        out["packed"] = True
    counted = wire.name not in vectors.UNCOUNTED and not door.wire.name.startswith("gemini")
    return out | ({"input": TOKENS} if counted else {})


def _compare(wanted: Facts, found: Facts, who: str) -> None:
    for name, fact in wanted.items():
        told: Json = found.get(name)
        if told != fact:
            raise Wrong(f"{name}: asked {fact!r}, {who} {told!r}")
