"""`GET /models` of the sidecar: the names a key may ask for, from the policy alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.errors import NotAllowed
from nexus_sdk.model import Answer
from nexus_sdk.wire.json import dumps

if TYPE_CHECKING:
    from nexus_sdk.model import Caller, Request
    from nexus_sdk.policy.snapshot import Snapshot
    from nexus_sdk.wire.json import Json

OWNER = "nexus"


def answer(snapshot: Snapshot, caller: Caller, request: Request) -> Answer:
    """The routes' names, in OpenAI's list shape; in Anthropic's for a caller that sends
    `anthropic-version`."""
    names = [name for name in sorted(snapshot.routes.trees) if _allowed(snapshot, caller, name)]
    doc = _anthropic(names) if "anthropic-version" in request.headers else _openai(names)
    headers = {"content-type": "application/json", "x-nexus-request-id": request.id}
    return Answer(200, headers, dumps(doc))


def _allowed(snapshot: Snapshot, caller: Caller, name: str) -> bool:
    try:
        snapshot.keys.require_model(caller, name)
    except NotAllowed:
        return False
    return True


def _openai(names: list[str]) -> Json:
    """https://platform.openai.com/docs/api-reference/models/list. A route has no day of creation:
    0."""
    data = [{"id": name, "object": "model", "created": 0, "owned_by": OWNER} for name in names]
    return {"object": "list", "data": data}


def _anthropic(names: list[str]) -> Json:
    """https://docs.anthropic.com/en/api/models-list."""
    data = [
        {"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"}
        for name in names
    ]
    return {
        "data": data,
        "has_more": False,
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
    }
