"""All exchanges of a file, judged."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.recorded import crossings, round_trips
from bench.recorded.differences import general
from nexus_sdk.errors import NexusError, UpstreamFailed
from nexus_sdk.wire.shape import MISSHAPEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bench.recorded.crossings import Crossing
    from bench.recorded.differences import Difference
    from bench.recorded.exchanges import Exchange

type Pair = tuple[str, str]


@dataclass(slots=True)
class Verdict:
    """`judged` and `clean`: of dialect and kind. `crossed`: of a pair, how many documents.
    `told`: of a pair, how often the report names an address. `losses`: what nobody told, with the
    exchange's number in the file."""

    skipped: Counter[str] = field(default_factory=Counter)
    judged: Counter[tuple[str, str]] = field(default_factory=Counter)
    clean: Counter[tuple[str, str]] = field(default_factory=Counter)
    events: int = 0
    crossed: Counter[Pair] = field(default_factory=Counter)
    told: dict[Pair, Counter[tuple[str, str]]] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)


def judge(exchanges: Iterable[Exchange | str]) -> Verdict:
    out = Verdict()
    for number, exchange in enumerate(exchanges, start=1):
        if isinstance(exchange, str):
            out.skipped[exchange] += 1
            continue
        for kind in _kinds(exchange):
            _round_trip(out, exchange, kind, f"exchange {number}, {exchange.dialect}, {kind}")
            _cross(out, exchange, kind, f"exchange {number}, {exchange.dialect}, {kind}")
        out.events += len(exchange.events)
    return out


def _kinds(exchange: Exchange) -> list[str]:
    has = {
        "request": exchange.request is not None,
        "answer": exchange.answer is not None,
        "stream": bool(exchange.events),
        "error": bool(exchange.error),
    }
    return [kind for kind, there in has.items() if there]


def _round_trip(out: Verdict, exchange: Exchange, kind: str, where: str) -> None:
    out.judged[exchange.dialect, kind] += 1
    try:
        found = _ROUND_TRIPS[kind](exchange)
    except (NexusError, *MISSHAPEN) as err:
        out.losses.append(f"{where}: {type(err).__name__}: {err}")
        return
    out.clean[exchange.dialect, kind] += not found
    out.losses += sorted({f"{where}: {general(told.path)}" for told in found})


_ROUND_TRIPS: dict[str, Callable[[Exchange], list[Difference]]] = {
    "request": round_trips.request,
    "answer": round_trips.answer,
    "stream": round_trips.stream,
    "error": round_trips.error,
}


def _cross(out: Verdict, exchange: Exchange, kind: str, where: str) -> None:
    if kind not in _CROSSINGS or round_trips.is_unfinished(exchange):
        return
    for target in crossings.targets(exchange.dialect):
        if target == exchange.dialect and kind != "request":
            continue
        pair = exchange.dialect, target
        out.crossed[pair] += 1
        try:
            crossing = _CROSSINGS[kind](exchange, target)
        except UpstreamFailed:
            out.told.setdefault(pair, Counter())["refused", f"({kind})"] += 1
            continue
        except (NexusError, *MISSHAPEN) as err:
            out.losses.append(f"{where}, to {target}: {type(err).__name__}: {err}")
            continue
        prefix = "" if kind == "request" else "answer: "
        known = out.told.setdefault(pair, Counter())
        for (how, address), count in crossing.told.items():
            known[how, prefix + address] += count
        out.losses += [f"{where}, to {target}: {told} is missing" for told in crossing.untold]


_CROSSINGS: dict[str, Callable[[Exchange, str], Crossing]] = {
    "request": crossings.request,
    "answer": crossings.answer,
    "stream": crossings.stream,
}
