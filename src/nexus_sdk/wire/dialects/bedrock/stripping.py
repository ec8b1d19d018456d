"""A request that goes on in its own dialect, without what another vendor left in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_sdk.wire.dialects.bedrock.answer_blocks import is_foreign

if TYPE_CHECKING:
    from nexus_sdk.wire.fidelity import Report
    from nexus_sdk.wire.json import Json


def strip_foreign(doc: Json, report: Report) -> Json:
    """Without reasoning of another vendor that our answers packed into blocks of this one."""
    given = doc.get("messages") or []
    turns = list(given)
    for place, turn in enumerate(turns):
        if turn["role"] != "assistant":
            continue
        kept = [
            block
            for block in turn["content"]
            if not ("reasoningContent" in block and is_foreign(block["reasoningContent"]))
        ]
        if len(kept) < len(turn["content"]):
            turns[place] = turn | {"content": kept}
            report.omitted(f"messages.{place}.content", "reasoning that Bedrock did not make")
    if turns == given:
        return doc
    return doc | {"messages": [turn for turn in turns if turn["content"]]}
