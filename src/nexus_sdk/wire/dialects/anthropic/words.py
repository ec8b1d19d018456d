"""The words of the Messages protocol, and the tables that turn them into the canonical ones."""

from __future__ import annotations

import re

from nexus_sdk.wire import shape
from nexus_sdk.wire.dialect import inverted
from nexus_sdk.wire.texts import TextMap

NAME = "anthropic"

TEXT = TextMap(
    skip=frozenset({
        "role", "type", "id", "model", "tool_use_id", "stop_reason", "signature",
        "encrypted_content", "encrypted_index", "media_type", "file_id", "cache_control",
        "service_tier", "authorization_token", "effort",
    }),
    json_text=frozenset({"partial_json"}),
    typed={"base64": frozenset({"data"}), "redacted_thinking": frozenset({"data"})},
    media=frozenset({"url"}),
    free=frozenset({"input", "input_schema", "schema", "metadata", "input_examples"}),
)  # fmt: skip

FIELDS: shape.Fields = {
    "temperature": shape.MEASURE,
    "top_p": shape.MEASURE,
    "top_k": shape.COUNT,
    "stream": shape.FLAG,
    "stop_sequences": shape.TEXTS,
    "system": shape.CONTENT,
    "tools": shape.OBJECTS,
    "tool_choice": shape.OBJECT,
    "metadata": shape.OBJECT,
    "thinking": shape.OBJECT,
    "output_config": shape.OBJECT,
    "output_format": shape.OBJECT,
    "mcp_servers": shape.OBJECTS,
}
KNOWN = frozenset({
    *FIELDS, "model", "messages", "max_tokens", "role", "content", "type", "text", "cache_control",
    "ttl", "id", "name", "input", "tool_use_id", "is_error", "source", "media_type", "data", "url",
    "file_id", "citations", "signature", "description", "input_schema", "strict", "title",
    "context", "enabled", "budget_tokens", "display", "user_id", "disable_parallel_tool_use",
    "service_tier", "container", "effort", "format", "schema", "caller",
})  # fmt: skip
FREE = frozenset({"input", "input_schema", "schema", "metadata", "input_examples"})

RENAMES = {"max_tokens": "max_completion_tokens", "stop_sequences": "stop"}

FINISH = {
    "end_turn": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
FINISH_FINER = {
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "model_context_window_exceeded": "length",
}
"""Reasons that share OpenAI's word with another: `native_finish_reason` keeps them apart."""
STOP = inverted(FINISH) | {"function_call": "tool_use"}

TOOL_CHOICE = {"auto": "auto", "any": "required", "none": "none"}
TIERS = {"standard_only": "default", "auto": "auto"}
EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})
EFFORT_NEAREST = {"minimal": "low"}

SERVER_TOOL = re.compile(r"[a-z0-9_]+_\d{8}|mcp_toolset")
"""Anthropic's own tools carry a date: `web_search_20250305`. `mcp_toolset` is the one without."""

NATIVE_PARTS = frozenset({
    "search_result", "container_upload", "tool_reference", "tool_addition", "tool_removal",
    "browser_state",
})  # fmt: skip
"""Blocks of a user's turn that nobody else has."""
NATIVE_BLOCKS = frozenset({
    "server_tool_use", "web_search_tool_result", "web_fetch_tool_result",
    "code_execution_tool_result", "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result", "tool_search_tool_result", "mcp_tool_use",
    "mcp_tool_result", "container_upload", "advisor_tool_result", "compaction", "mcp_tool_listing",
    "tool_addition", "tool_removal", "fallback",
})  # fmt: skip
"""Blocks of an assistant's turn that nobody else has."""

DEFAULT_MAX_TOKENS = 8192
"""`max_tokens` is required here and optional elsewhere. Every model since Claude 3.5 gives as
many."""
DEFAULT_FILENAME = "document.pdf"
DEFAULT_SCHEMA_NAME = "output"
"""OpenAI requires a name where Anthropic has none."""
