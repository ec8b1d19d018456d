"""`logprobsResult` ↔ OpenAI's `logprobs`. Source:
https://ai.google.dev/api/generate-content#LogprobsResult."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json

_OWN = "token_id"


def decode(told: Json) -> list[Json]:
    """The tokens that were chosen, each with the most probable ones."""
    tops = told.get("topCandidates") or []
    out = []
    for place, chosen in enumerate(told.get("chosenCandidates") or ()):
        top = (tops[place].get("candidates") or []) if place < len(tops) else []
        out.append(_token(chosen) | {"top_logprobs": [_token(one) for one in top]})
    return out


def _token(told: Json) -> Json:
    token = told.get("token") or ""
    out = {
        "token": token,
        "logprob": told.get("logProbability") or 0.0,
        "bytes": list(token.encode()),
    }
    return out | ({_OWN: told["tokenId"]} if "tokenId" in told else {})


def encode(choice: Json) -> Json:
    """`logprobsResult`, as a member of a candidate where the tokens are told."""
    tokens = (choice.get("logprobs") or {}).get("content") or []
    if not tokens:
        return {}
    tops = [
        {"candidates": [_own(one) for one in token.get("top_logprobs") or ()]} for token in tokens
    ]
    told: Json = {"chosenCandidates": [_own(token) for token in tokens]}
    if any(top["candidates"] for top in tops):
        told["topCandidates"] = tops
    return {"logprobsResult": told}


def _own(token: Json) -> Json:
    told = {"token": token.get("token") or "", "logProbability": token.get("logprob") or 0.0}
    return told | ({"tokenId": token[_OWN]} if _OWN in token else {})
