"""The words of generateContent, and the tables that turn them into the canonical ones.

Protocol buffers' JSON takes every name in two spellings, `maxOutputTokens` and `max_output_tokens`
(https://protobuf.dev/programming-guides/json). The tables are in camel case, as answers are;
`spelling` brings a request into it.
"""

from __future__ import annotations

import re

from nexus_sdk.wire import shape
from nexus_sdk.wire.texts import TextMap

NAME = "gemini"

CONFIG: shape.Fields = {
    "temperature": shape.MEASURE,
    "topP": shape.MEASURE,
    "topK": shape.MEASURE,
    "candidateCount": shape.POSITIVE,
    "maxOutputTokens": shape.COUNT,
    "stopSequences": shape.LIST,
    "seed": shape.WHOLE,
    "presencePenalty": shape.NUMBER,
    "frequencyPenalty": shape.NUMBER,
    "responseLogprobs": shape.FLAG,
    "logprobs": shape.COUNT,
    "responseMimeType": shape.TEXT,
    "responseModalities": shape.LIST,
    "responseSchema": shape.OBJECT,
    "responseJsonSchema": shape.OBJECT,
    "thinkingConfig": shape.OBJECT,
}
FIELDS: shape.Fields = {
    "systemInstruction": shape.OBJECT,
    "toolConfig": shape.OBJECT,
    "generationConfig": shape.OBJECT,
    "safetySettings": shape.OBJECTS,
    "labels": shape.OBJECT,
    "cachedContent": shape.TEXT,
    "serviceTier": shape.TEXT,
}
PART: shape.Fields = {
    "text": shape.TEXT,
    "thought": shape.FLAG,
    "thoughtSignature": shape.TEXT,
    "inlineData": shape.OBJECT,
    "fileData": shape.OBJECT,
    "functionCall": shape.OBJECT,
    "functionResponse": shape.OBJECT,
}

_REST = frozenset({
    "contents", "role", "parts", "tools", "mimeType", "fileUri", "displayName", "name", "args",
    "response", "id", "description", "parameters", "parametersJsonSchema", "functionDeclarations",
    "functionCallingConfig", "allowedFunctionNames", "mode", "executableCode",
    "codeExecutionResult", "toolCall", "toolResponse", "toolType", "videoMetadata", "startOffset",
    "endOffset", "mediaResolution", "partMetadata", "includeThoughts", "thinkingBudget",
    "thinkingLevel", "category", "threshold", "googleSearch", "googleSearchRetrieval",
    "googleMaps", "urlContext", "codeExecution", "fileSearch", "fileSearchStoreNames",
    "enterpriseWebSearch", "computerUse", "retrieval", "retrievalConfig",
    "includeServerSideToolInvocations", "streamFunctionCallArguments", "speechConfig",
    "voiceConfig", "prebuiltVoiceConfig", "voiceName", "languageCode", "audioTimestamp",
    "imageConfig", "aspectRatio", "routingConfig", "modelSelectionConfig", "modelArmorConfig",
    "data", "code", "language", "outcome", "output", "fps", "level", "willContinue", "scheduling",
    "behavior", "timeRangeFilter", "startTime", "endTime", "generateContentRequest", "model",
    "metadataFilter", "topLevel", "excludeDomains", "enableWidget", "latLng",
})  # fmt: skip
_CAMEL = frozenset({*CONFIG, *FIELDS, *PART, *_REST})


def snake(name: str) -> str:
    """`maxOutputTokens` as `max_output_tokens`."""
    return re.sub(r"(?=[A-Z])", "_", name).lower()


SPELLINGS = {snake(name): name for name in _CAMEL if snake(name) != name}
KNOWN = frozenset({*_CAMEL, *SPELLINGS})
_FREE = frozenset({
    "args", "response", "parameters", "parametersJsonSchema", "responseSchema",
    "responseJsonSchema", "labels", "partMetadata", "retrieval",
})  # fmt: skip
FREE = frozenset({*_FREE, *map(snake, _FREE)})
"""Keys below which the user's own keys stand."""

_NO_TEXT = frozenset({
    "role", "thoughtSignature", "mimeType", "finishReason", "responseId", "modelVersion",
    "createTime", "id", "modality", "mode", "language", "outcome", "toolType", "category",
    "threshold", "probability", "severity", "blockReason", "trafficType", "serviceTier",
    "cachedContent", "thinkingLevel", "responseMimeType", "responseModalities", "mediaResolution",
    "usageMetadata", "logprobsResult", "urlRetrievalStatus", "model",
})  # fmt: skip
_INLINE = frozenset({"data"})
TEXT = TextMap(
    skip=frozenset({*_NO_TEXT, *map(snake, _NO_TEXT)}),
    inside={"inlineData": _INLINE, "inline_data": _INLINE},
    free=FREE,
)

RENAMES = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "candidateCount": "n",
    "maxOutputTokens": "max_completion_tokens",
    "stopSequences": "stop",
    "seed": "seed",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "responseLogprobs": "logprobs",
    "logprobs": "top_logprobs",
}
"""Members of `generationConfig` that the canonical form has under another name."""

FINISH = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
}
FINISH_FINER = {
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "JAILBREAK": "content_filter",
    "OTHER": "stop",
    "MALFORMED_FUNCTION_CALL": "stop",
    "UNEXPECTED_TOOL_CALL": "stop",
    "TOO_MANY_TOOL_CALLS": "stop",
    "MISSING_THOUGHT_SIGNATURE": "stop",
    "MALFORMED_RESPONSE": "stop",
    "NO_IMAGE": "stop",
    "IMAGE_OTHER": "stop",
    "ESCALATION": "stop",
    "PUP_LIMITED_DISABLED": "stop",
    "CONTINUATION": "length",
    "FINISH_REASON_UNSPECIFIED": "stop",
}
"""Reasons that share OpenAI's word with another: `native_finish_reason` keeps them apart. Source:
https://ai.google.dev/api/generate-content#FinishReason."""
STOP = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "function_call": "STOP",
    "content_filter": "SAFETY",
}

MODES = {"AUTO": "auto", "ANY": "required", "NONE": "none"}
TIERS = {"standard": "default", "flex": "flex", "priority": "priority"}

BUILT_IN = frozenset({
    "googleSearch", "googleSearchRetrieval", "googleMaps", "urlContext", "codeExecution",
    "fileSearch", "enterpriseWebSearch", "computerUse", "retrieval", "parallelAiSearch",
    "exaAiSearch", "mcpServers",
})  # fmt: skip
"""Tools that Google runs itself."""

DECLARATION = frozenset({"behavior", "response", "responseJsonSchema"})
"""Members of a function's declaration that OpenAI does not have."""
PART_EXTRAS = frozenset({
    "videoMetadata", "mediaResolution", "mediaProcessing", "partMetadata", "speechMetadata",
    "audioTranscription", "documentMetadata", "spreadsheetMetadata", "audioMetadata",
})  # fmt: skip
RESULT_EXTRAS = frozenset({"scheduling", "willContinue"})
"""Members of a part and of a result that OpenAI does not have. Gemini refuses any that it does not
know."""

BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
"""Efforts as thinking budgets of the models before Gemini 3, in tokens. Source:
https://ai.google.dev/gemini-api/docs/openai#thinking."""
LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH"}
LEVEL_NEAREST = {"none": "MINIMAL", "xhigh": "HIGH", "max": "HIGH"}

SKIP_SIGNATURE = "skip_thought_signature_validator"
"""What Google takes in the place of the signature of a call that its model did not make. Source:
https://ai.google.dev/gemini-api/docs/thought-signatures#faqs."""
UNSIGNED = frozenset({SKIP_SIGNATURE, "context_engineering_is_the_way_to_go"})

FORMAT = "format"
"""The name under which a request's own members of the answer's format are kept."""
DEFAULT_SCHEMA_NAME = "output"
DEFAULT_FILENAME = "document.pdf"

_GENERATION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")
NEWEST = (99, 0)


def generation(model: str) -> tuple[int, int]:
    """The version in a model's name; `NEWEST` for an alias that does not tell it."""
    found = _GENERATION.search(model or "")
    return (int(found[1]), int(found[2] or 0)) if found else NEWEST
