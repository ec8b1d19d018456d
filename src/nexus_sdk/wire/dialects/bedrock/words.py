"""The words of Converse, and the tables that turn them into the canonical ones."""

from __future__ import annotations

from nexus_sdk.wire import shape
from nexus_sdk.wire.dialect import inverted
from nexus_sdk.wire.texts import TextMap

NAME = "bedrock"

FREE = frozenset({
    "input", "json", "additionalModelRequestFields", "additionalModelResponseFields",
    "promptVariables", "requestMetadata",
})  # fmt: skip
TEXT = TextMap(
    skip=frozenset({
        "role", "type", "toolUseId", "stopReason", "format", "status", "signature",
        "redactedContent", "bytes", "bucketOwner", "cachePoint", "guardrailIdentifier",
        "guardrailVersion", "latency", "ttl", "effort", "usage", "metrics", "qualifiers",
    }),
    json_text=frozenset({"schema"}),
    inside={"guardrailConfig": frozenset({"trace", "streamProcessingMode"})},
    free=FREE,
)  # fmt: skip

FIELDS: shape.Fields = {
    "messages": shape.OBJECTS,
    "system": shape.OBJECTS,
    "inferenceConfig": shape.OBJECT,
    "toolConfig": shape.OBJECT,
    "guardrailConfig": shape.OBJECT,
    "additionalModelRequestFields": shape.OBJECT,
    "promptVariables": shape.OBJECT,
    "additionalModelResponseFieldPaths": shape.TEXTS,
    "requestMetadata": shape.OBJECT,
    "performanceConfig": shape.OBJECT,
    "serviceTier": shape.OBJECT,
    "outputConfig": shape.OBJECT,
    "projectIdentifier": shape.TEXT,
}
INFERENCE: shape.Fields = {
    "maxTokens": shape.COUNT,
    "temperature": shape.MEASURE,
    "topP": shape.MEASURE,
    "stopSequences": shape.TEXTS,
}
BLOCK: shape.Fields = {
    "text": shape.TEXT,
    "image": shape.OBJECT,
    "document": shape.OBJECT,
    "video": shape.OBJECT,
    "audio": shape.OBJECT,
    "toolUse": shape.OBJECT,
    "toolResult": shape.OBJECT,
    "guardContent": shape.OBJECT,
    "cachePoint": shape.OBJECT,
    "reasoningContent": shape.OBJECT,
    "citationsContent": shape.OBJECT,
    "searchResult": shape.OBJECT,
    "toolAddition": shape.OBJECT,
    "toolRemoval": shape.OBJECT,
}
"""Content blocks: an object with one of these members."""
KNOWN = frozenset({
    *FIELDS, *INFERENCE, *BLOCK, "role", "content", "source", "format", "name", "bytes",
    "s3Location", "uri", "bucketOwner", "context", "citations", "enabled", "toolUseId", "input",
    "type", "status", "json", "reasoningText", "signature", "redactedContent", "title", "location",
    "sourceContent", "qualifiers", "ttl", "tools", "toolChoice", "toolSpec", "systemTool",
    "description", "inputSchema", "strict", "auto", "any", "tool", "guardrailIdentifier",
    "guardrailVersion", "trace", "streamProcessingMode", "latency", "textFormat", "effort",
    "structure", "jsonSchema", "schema", "serverName", "web", "url", "domain", "documentChar",
    "documentPage", "documentChunk", "searchResultLocation", "documentIndex", "start", "end",
    "searchResultIndex", "error", "message",
})  # fmt: skip

INFERENCE_NAMES = {
    "maxTokens": "max_completion_tokens",
    "temperature": "temperature",
    "topP": "top_p",
    "stopSequences": "stop",
}

FINISH = {
    "end_turn": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "content_filtered": "content_filter",
}
FINISH_FINER = {
    "stop_sequence": "stop",
    "guardrail_intervened": "content_filter",
    "model_context_window_exceeded": "length",
    "malformed_model_output": "length",
    "malformed_tool_use": "length",
}
"""Reasons that share OpenAI's word with another: `native_finish_reason` keeps them apart. A
malformed output is told as one that did not come to its end, since it is not whole."""
STOP = inverted(FINISH) | {"function_call": "tool_use"}

TIERS = frozenset({"default", "flex", "priority"})
"""Tiers that OpenAI has too, under the same names."""

IMAGES = {"png": "image/png", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
DOCUMENTS = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
}
VIDEOS = {
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "flv": "video/x-flv",
    "mpeg": "video/mpeg",
    "mpg": "video/mpg",
    "wmv": "video/x-ms-wmv",
    "three_gp": "video/3gpp",
}
IMAGE_FORMATS = inverted(IMAGES) | {"image/jpg": "jpeg"}
DOCUMENT_FORMATS = inverted(DOCUMENTS) | {"application/csv": "csv", "text/x-markdown": "md"}
VIDEO_FORMATS = inverted(VIDEOS)
AUDIO_FORMATS = frozenset({
    "mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg", "mpga",
    "pcm", "webm",
})  # fmt: skip
"""The formats of the service model of botocore 1.44, with their media types (IANA)."""

PART = "bedrock."
"""Begins the type of a content part that only Bedrock has: `bedrock.image` for one in S3."""
SYSTEM_TOOL = "bedrock_system_tool"
DEFAULT_NAME = "document"
DEFAULT_SCHEMA_NAME = "output"
"""OpenAI requires a name where Bedrock does not."""
EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})
"""Source: botocore 1.44, bedrock-runtime, `OutputConfig.effort`."""
EFFORT_NEAREST = {"minimal": "low"}
