"""What Gemini alone has in a canonical request, left out for every other target and told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire.canonical import without

if TYPE_CHECKING:
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json

_FEATURES = {
    "cachedContent": "the text in Google's cache cannot be given to another vendor",
    "modelArmorConfig": "only Google screens with Model Armor",
}
_HINTS = {
    "safetySettings": "the target has filters of its own",
    "labels": "labels are Google's",
    "toolConfig": "the target has no such settings for tools",
}
_CONFIG_HINTS = frozenset({
    "mediaResolution", "audioTimestamp", "routingConfig", "modelSelectionConfig",
    "enableEnhancedCivicAnswers",
})  # fmt: skip
"""Members of `generationConfig` that the answer means the same without."""
_TOOL = frozenset({"behavior", "response", "responseJsonSchema"})
_PART = frozenset({
    "media_type", "displayName", "videoMetadata", "mediaResolution", "mediaProcessing",
    "partMetadata",
})  # fmt: skip
_RESULT = frozenset({"scheduling", "willContinue"})


def without_geminis(chat: Json, report: Report) -> Json:
    """`chat` without the members that only Gemini's dialect makes; the same object when it has
    none."""
    out = chat
    for tell, table in ((report.dropped, _FEATURES), (report.omitted, _HINTS)):
        for key in [key for key in table if key in chat]:
            out = without(out, {key})
            tell(key, table[key])
    if isinstance(chat.get("generationConfig"), dict):
        out = without(out, {"generationConfig"})
        for key in sorted(chat["generationConfig"]):
            tell = report.omitted if key in _CONFIG_HINTS else report.dropped
            tell(f"generationConfig.{key}", "the target has no such setting")
    if any(_TOOL & tool.keys() for tool in chat.get("tools") or ()):
        out = out | {"tools": _each(chat["tools"], _TOOL, "tools", report)}
    messages = [_message(one, f"messages.{i}", report) for i, one in enumerate(chat["messages"])]
    same = all(old is new for old, new in zip(chat["messages"], messages, strict=True))
    return out if same else out | {"messages": messages}


def _message(message: Json, path: str, report: Report) -> Json:
    out = message
    if message.get("role") == "tool" and _RESULT & message.keys():
        out = _less(message, _RESULT, path, report)
    content = message.get("content")
    if isinstance(content, list) and any(_PART & part.keys() for part in content):
        out = out | {"content": _each(content, _PART, f"{path}.content", report)}
    return out


def _each(items: list[Json], names: frozenset[str], path: str, report: Report) -> list[Json]:
    return [_less(item, names, f"{path}.{i}", report) for i, item in enumerate(items)]


def _less(node: Json, names: frozenset[str], path: str, report: Report) -> Json:
    for key in sorted(names & node.keys()):
        report.omitted(f"{path}.{key}", "only Gemini has such a member")
    return without(node, names)
