"""How Google's APIs name a model in a body: as a resource, `models/<name>`
(https://ai.google.dev/api/models), where the path has the name alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nexus_sdk.wire.json import Json, Path


def resource(model: str) -> str:
    return model if "/" in model else f"models/{model}"


def named_anew(holder: Json, path: Path, model: str) -> dict[Path, Json]:
    """The edit that makes the `model` in an object the path's, where it names another one."""
    wanted = resource(model)
    differs = isinstance(holder, dict) and holder.get("model", wanted) != wanted
    return {(*path, "model"): wanted} if differs else {}
