"""Providers with a dialect of their own, or with OpenAI's at places of their own."""

from __future__ import annotations

from nexus_sdk.providers.quirks import CLAUDE, NO_DEVELOPER, OLD_CEILING, OPENAI, READS_REASONING
from nexus_sdk.providers.row import Family, Row, speaks
from nexus_sdk.stages.adapting import Quirk
from nexus_sdk.wire.ways import Way

_GEMINI = "/v1beta/models/{model}"
_VERTEX = "/v1/projects/{project}/locations/{location}/publishers"
_DEPLOYMENT = "/openai/deployments/{model}"
_VERSION = "?api-version={api_version}"
_AWS = ("aws_static", "aws_profile", "aws_container", "aws_web_identity")

ROWS = (
    Row(
        name="openai",
        base_url="https://api.openai.com/v1",
        auth="bearer",
        endpoints=speaks(
            "chat",
            "responses",
            "input_tokens",
            "completions",
            "embeddings",
            "moderations",
            "image_generations",
            "image_edits",
            "image_variations",
            "speech",
            "transcriptions",
            "translations",
        ),
        stream_usage=True,
        quirks=OPENAI,
        key_variable="OPENAI_API_KEY",
        keeps_responses=True,
        because={
            "keeps_responses": "for 30 days unless `store` is false; platform.openai.com, API "
            "reference, responses/create, store",
            "stream_usage": "a chat stream carries no usage unless asked for; platform.openai.com, "
            "API reference, chat/create, stream_options",
        },
    ),
    Row(
        name="anthropic",
        base_url="https://api.anthropic.com",
        auth="x-api-key",
        endpoints={
            "messages": Way("anthropic", "/v1/messages"),
            "count_tokens": Way("anthropic_count", "/v1/messages/count_tokens"),
            "models": Way("", "/v1/models"),
        },
        headers={"anthropic-version": "2023-06-01"},
        quirks=CLAUDE,
        key_variable="ANTHROPIC_API_KEY",
        because={
            "auth": "a key goes into x-api-key; docs.anthropic.com, API overview, authentication",
            "headers": "a request without a version is refused; docs.anthropic.com, API versioning",
            "endpoints": "/v1 stands in the path: ANTHROPIC_BASE_URL and the vendor's own clients "
            "give the base URL without it",
        },
    ),
    Row(
        name="gemini",
        base_url="https://generativelanguage.googleapis.com",
        auth="x-goog-api-key",
        endpoints={
            "generate_content": Way(
                "gemini",
                f"{_GEMINI}:generateContent",
                f"{_GEMINI}:streamGenerateContent?alt=sse",
            ),
            "batch_embed_contents": Way("gemini_batch_embed", f"{_GEMINI}:batchEmbedContents"),
            "embed_content": Way("gemini_embed", f"{_GEMINI}:embedContent"),
            "count_content_tokens": Way("gemini_count", f"{_GEMINI}:countTokens"),
            "models": Way("", "/v1beta/models"),
        },
        key_variable="GEMINI_API_KEY",
        because={
            "auth": "a key goes into x-goog-api-key (or the URL, which is logged); ai.google.dev, "
            "Gemini API reference, authentication",
        },
    ),
    Row(
        name="vertex",
        base_url="https://{location}-aiplatform.googleapis.com",
        base_urls={"location=global": "https://aiplatform.googleapis.com"},
        auth="bearer",
        fields={"project": None, "location": "us-central1"},
        credentials=("google_service_account", "google_metadata", "token"),
        audience="https://www.googleapis.com/auth/cloud-platform",
        endpoints={
            "generate_content": Way(
                "gemini",
                f"{_VERTEX}/google/models/{{model}}:generateContent",
                f"{_VERTEX}/google/models/{{model}}:streamGenerateContent?alt=sse",
                plain="@",
            ),
            "embeddings": Way(
                "vertex_embed", f"{_VERTEX}/google/models/{{model}}:predict", plain="@"
            ),
            "count_content_tokens": Way(
                "vertex_count", f"{_VERTEX}/google/models/{{model}}:countTokens", plain="@"
            ),
        },
        families=(
            Family(
                ("claude-*",),
                {
                    "messages": Way(
                        "anthropic",
                        f"{_VERTEX}/anthropic/models/{{model}}:rawPredict",
                        f"{_VERTEX}/anthropic/models/{{model}}:streamRawPredict",
                        plain="@",
                    ),
                    "count_tokens": Way(
                        "anthropic_count", f"{_VERTEX}/anthropic/models/count-tokens:rawPredict"
                    ),
                },
            ),
        ),
        quirks=(
            Quirk(
                because="the path names the model, and the body the version; docs.anthropic.com, "
                "Claude on Vertex AI",
                models=("claude-*",),
                dialect="anthropic",
                moves=frozenset({"model"}),
                sets={"anthropic_version": "vertex-2023-10-16"},
            ),
            *CLAUDE,
        ),
        because={
            "base_url": "each location has its host; docs.cloud.google.com, Vertex AI, locations",
            "families": "Claude's models have a publisher and a dialect of their own; "
            "docs.anthropic.com, Claude on Vertex AI",
        },
    ),
    Row(
        name="azure",
        base_url="https://{resource}.openai.azure.com",
        auth="api-key",
        fields={"resource": None, "api_version": "2024-10-21"},
        credentials=("entra_client", "entra_managed", "token"),
        audience="https://cognitiveservices.azure.com",
        endpoints={
            "chat": Way("openai_chat", f"{_DEPLOYMENT}/chat/completions{_VERSION}"),
            "embeddings": Way("openai_embeddings", f"{_DEPLOYMENT}/embeddings{_VERSION}"),
            "completions": Way("openai_completions", f"{_DEPLOYMENT}/completions{_VERSION}"),
            "responses": Way("openai_responses", "/openai/v1/responses"),
            "image_generations": Way("", f"{_DEPLOYMENT}/images/generations{_VERSION}"),
            "transcriptions": Way("", f"{_DEPLOYMENT}/audio/transcriptions{_VERSION}"),
            "translations": Way("", f"{_DEPLOYMENT}/audio/translations{_VERSION}"),
            "models": Way("", f"/openai/models{_VERSION}"),
        },
        stream_usage=True,
        quirks=OPENAI,
        key_variable="AZURE_OPENAI_API_KEY",
        keeps_responses=True,
        because={
            "keeps_responses": "for 30 days; learn.microsoft.com, Azure OpenAI Responses API",
            "auth": "a key goes into api-key; learn.microsoft.com, Azure OpenAI REST API reference",
            "base_url": "each resource has its host; ibidem",
            "stream_usage": "as at OpenAI; ibidem, stream_options, since 2024-09-01-preview",
            "endpoints": "the path names the deployment; the Responses API is at /openai/v1 and "
            "takes the deployment as the model (ibidem, v1)",
        },
    ),
    Row(
        name="bedrock",
        base_url="https://bedrock-runtime.{region}.amazonaws.com",
        auth="bearer",
        fields={"region": None},
        credentials=_AWS,
        audience="bedrock",
        endpoints={
            "converse": Way(
                "bedrock",
                "/model/{model}/converse",
                "/model/{model}/converse-stream",
                "aws_events",
            ),
        },
        families=(
            Family(
                ("amazon.titan-embed*",),
                {"embeddings": Way("titan_embed", "/model/{model}/invoke")},
            ),
            Family(
                ("amazon.nova-*-embeddings*", "*.amazon.nova-*-embeddings*"),
                {"embeddings": Way("nova_embed", "/model/{model}/invoke")},
            ),
            Family(
                ("cohere.embed*", "*.cohere.embed*"),
                {"cohere_embed": Way("bedrock_cohere_embed", "/model/{model}/invoke")},
            ),
        ),
        key_variable="AWS_BEARER_TOKEN_BEDROCK",
        because={
            "base_url": "each region has its host; docs.aws.amazon.com, Bedrock endpoints",
            "families": "embeddings are not part of Converse; docs.aws.amazon.com, Bedrock, "
            "InvokeModel, Titan and Cohere embeddings",
        },
    ),
    Row(
        name="cohere",
        base_url="https://api.cohere.com",
        auth="bearer",
        endpoints={
            "cohere_chat": Way("cohere", "/v2/chat"),
            "cohere_embed": Way("cohere_embed", "/v2/embed"),
            "rerank": Way("cohere_rerank", "/v2/rerank"),
            "models": Way("", "/v1/models"),
        },
        key_variable="CO_API_KEY",
    ),
    Row(
        name="voyage",
        base_url="https://api.voyageai.com/v1",
        auth="bearer",
        endpoints={
            "embeddings": Way("voyage_embed", "/embeddings"),
            "voyage_rerank": Way("voyage_rerank", "/rerank"),
        },
        key_variable="VOYAGE_API_KEY",
    ),
    Row(
        name="replicate",
        base_url="https://api.replicate.com/v1",
        auth="bearer",
        endpoints={
            "chat": Way("replicate", "/predictions", predicts=True),
            "models": Way("", "/models"),
        },
        key_variable="REPLICATE_API_TOKEN",
        because={
            "endpoints": "one place for official models, versions and deployments, the body names "
            "the model; replicate.com/docs/reference/http, predictions.create",
        },
    ),
    Row(
        name="minimax",
        base_url="https://api.minimax.io/v1",
        auth="bearer",
        endpoints=speaks("chat"),
        stream_usage=True,
        quirks=(NO_DEVELOPER,),
        key_variable="MINIMAX_API_KEY",
        because={
            "stream_usage": "a stream counts tokens when asked to; platform.minimax.io, OpenAI "
            "compatible API, stream_options",
            "endpoints": "its embeddings have another shape (texts, type, group_id)",
        },
    ),
    Row(
        name="glm",
        base_url="https://api.z.ai/api/paas/v4",
        auth="bearer",
        endpoints=speaks("chat", "embeddings"),
        quirks=(
            NO_DEVELOPER,
            OLD_CEILING,
            Quirk(
                because="it takes thinking, and reasoning back; docs.z.ai, chat completion",
                accepts=READS_REASONING | {"thinking"},
            ),
            Quirk(
                because="only auto is taken; docs.z.ai, chat completion, tool_choice",
                only={"tool_choice": ("auto", "none")},
            ),
        ),
        key_variable="ZAI_API_KEY",
        because={
            "stream_usage": "the last chunk of a stream counts tokens unasked; docs.z.ai, streaming"
        },
    ),
)
