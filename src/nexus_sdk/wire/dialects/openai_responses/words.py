"""The words of the Responses protocol."""

from __future__ import annotations

from nexus_sdk.wire import shape
from nexus_sdk.wire.texts import TextMap

NAME = "openai_responses"

TEXT = TextMap(
    skip=frozenset({
        "role", "type", "id", "object", "model", "call_id", "item_id", "status", "phase",
        "service_tier", "effort", "detail", "file_id", "container_id", "previous_response_id",
        "encrypted_content", "obfuscation", "logprobs", "input_audio", "include", "truncation",
        "verbosity", "billing", "partial_image_b64", "prompt_cache_retention", "execution",
        "approval_request_id",
    }),
    json_text=frozenset({"arguments"}),
    typed={
        "image_generation_call": frozenset({
            "result", "output_format", "quality", "size", "background", "action",
        }),
        "response.audio.delta": frozenset({"delta"}),
    },
    media=frozenset({"image_url", "file_data", "file_url", "url"}),
    free=frozenset({"metadata", "parameters", "schema", "input_schema", "output_schema", "env"}),
)  # fmt: skip

FIELDS: shape.Fields = {
    "instructions": shape.CONTENT,
    "max_output_tokens": shape.COUNT,
    "max_tool_calls": shape.COUNT,
    "temperature": shape.MEASURE,
    "top_p": shape.MEASURE,
    "top_logprobs": shape.COUNT,
    "stream": shape.FLAG,
    "stream_options": shape.OBJECT,
    "store": shape.FLAG,
    "background": shape.FLAG,
    "previous_response_id": shape.TEXT,
    "tools": shape.OBJECTS,
    "tool_choice": shape.CHOICE,
    "parallel_tool_calls": shape.FLAG,
    "reasoning": shape.OBJECT,
    "text": shape.OBJECT,
    "metadata": shape.OBJECT,
    "include": shape.LIST,
    "user": shape.TEXT,
    "safety_identifier": shape.TEXT,
}
ITEM: shape.Fields = {
    "type": shape.TEXT,
    "role": shape.TEXT,
    "id": shape.TEXT,
    "call_id": shape.TEXT,
    "content": shape.CONTENT,
    "summary": shape.OBJECTS,
    "encrypted_content": shape.TEXT,
}
KNOWN = frozenset({
    *FIELDS, *ITEM, "model", "input", "arguments", "output", "status", "phase", "name", "namespace",
    "description", "parameters", "strict", "format", "schema", "verbosity", "effort", "annotations",
    "logprobs", "image_url", "detail", "file_id", "file_data", "filename", "file_url",
    "input_audio", "data", "service_tier", "truncation", "conversation", "prompt",
    "prompt_cache_key", "prompt_cache_retention", "action", "query", "queries", "url",
})  # fmt: skip
FREE = frozenset({"metadata", "parameters", "schema", "output_schema", "env", "variables"})

SAME = frozenset({
    "model", "stream", "stream_options", "temperature", "top_p", "top_logprobs",
    "parallel_tool_calls", "user", "metadata", "service_tier", "prompt_cache_key",
    "prompt_cache_retention", "prompt_cache_options", "safety_identifier",
})  # fmt: skip
"""Members with one name and meaning in both APIs."""

STATE = {
    "previous_response_id": "earlier answers are kept by OpenAI; send the whole conversation",
    "conversation": "conversations are kept by OpenAI; send the whole conversation",
    "prompt": "prompt templates are kept by OpenAI; send the text itself",
    "background": "answers in the background are kept by OpenAI",
    "store": "the answer cannot be kept for later requests; send store: false",
    "context_management": "the context is edited by OpenAI; send what is to be read",
}
"""Members that rely on OpenAI's server, with the way out. No other target can do without them."""

ECHO = frozenset({
    "instructions", "tools", "tool_choice", "temperature", "top_p", "max_output_tokens",
    "parallel_tool_calls", "previous_response_id", "reasoning", "text", "truncation", "user",
    "metadata", "store", "background", "max_tool_calls", "top_logprobs", "safety_identifier",
    "prompt_cache_key", "prompt_cache_retention", "prompt", "presence_penalty", "frequency_penalty",
    "conversation", "prompt_cache_options",
})  # fmt: skip
"""Members of an answer that repeat the request."""

OURS = "_nexus_"
"""In the ids of items that we make: OpenAI does not know them, so they are never sent to it."""

NATIVE_ITEMS = frozenset({
    "web_search_call", "file_search_call", "computer_call", "computer_call_output",
    "code_interpreter_call", "image_generation_call", "local_shell_call", "local_shell_call_output",
    "shell_call", "shell_call_output", "apply_patch_call", "apply_patch_call_output", "mcp_call",
    "mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "tool_search_call",
    "tool_search_output", "additional_tools", "compaction", "compaction_trigger",
    "configuration_update", "program", "program_output",
})  # fmt: skip
"""Items of OpenAI's own tools. Nobody else has them."""
