"""Providers whose API is a copy of OpenAI's: an address, a key, and what each does otherwise."""

from __future__ import annotations

from nexus_sdk.providers.quirks import NO_DEVELOPER, OLD_CEILING, READS_REASONING
from nexus_sdk.providers.row import Row, speaks
from nexus_sdk.stages.adapting import Quirk

_COUNTS = "a stream counts tokens when asked to with stream_options"
_SAMPLING = frozenset({"top_k", "min_p", "repetition_penalty"})

ROWS = (
    Row(
        name="deepseek",
        base_url="https://api.deepseek.com/v1",
        auth="bearer",
        endpoints=speaks("chat"),
        stream_usage=True,
        quirks=(
            NO_DEVELOPER,
            OLD_CEILING,
            Quirk(
                because="reasoning has to come back with the tool calls it led to, and is ignored "
                "elsewhere; api-docs.deepseek.com, thinking mode",
                accepts=READS_REASONING | {"thinking"},
            ),
            Quirk(
                because="a model that thinks gives no log probabilities; api-docs.deepseek.com, "
                "thinking mode",
                models=("deepseek-reasoner*",),
                refuses={"logprobs": (False,), "top_logprobs": ()},
            ),
            Quirk(
                because="a model that thinks cannot be made to call a tool; api-docs.deepseek.com, "
                "thinking mode",
                models=("deepseek-reasoner*",),
                only={"tool_choice": ("auto", "none")},
            ),
            Quirk(
                because="JSON is given without a schema; api-docs.deepseek.com, JSON output",
                only={"response_format": ("text", "json_object")},
            ),
        ),
        key_variable="DEEPSEEK_API_KEY",
        because={"stream_usage": f"{_COUNTS}; api-docs.deepseek.com, chat completion"},
    ),
    Row(
        name="moonshot",
        base_url="https://api.moonshot.ai/v1",
        auth="bearer",
        endpoints=speaks("chat"),
        stream_usage=True,
        quirks=(
            NO_DEVELOPER,
            Quirk(
                because="reasoning has to come back with the tool calls it led to; "
                "platform.kimi.ai, thinking models",
                accepts=READS_REASONING | {"thinking"},
            ),
            Quirk(
                because="its sampling is fixed; platform.kimi.ai, models overview, parameters",
                models=("kimi-k2.5*", "kimi-k2.6*"),
                refuses={
                    "temperature": (1, 1.0),
                    "top_p": (0.95,),
                    "presence_penalty": (0, 0.0),
                    "frequency_penalty": (0, 0.0),
                },
                only={"n": (1,)},
            ),
        ),
        key_variable="MOONSHOT_API_KEY",
        because={"stream_usage": f"{_COUNTS}; platform.kimi.ai, chat completion"},
    ),
    Row(
        name="mistral",
        base_url="https://api.mistral.ai/v1",
        auth="bearer",
        endpoints=speaks("chat", "embeddings", "moderations", "transcriptions"),
        quirks=(
            NO_DEVELOPER,
            Quirk(
                because="unknown fields are refused (422, extra_forbidden), and these have other "
                "names; docs.mistral.ai, chat completion",
                renames={"max_completion_tokens": "max_tokens", "seed": "random_seed"},
            ),
            Quirk(
                because="unknown fields are refused (422, extra_forbidden); docs.mistral.ai, chat "
                "completion",
                refuses={"logprobs": (False,), "top_logprobs": (), "logit_bias": ({},)},
                omits=frozenset(
                    {"store", "user", "service_tier", "stream_options", "safety_identifier"}
                ),
            ),
        ),
        key_variable="MISTRAL_API_KEY",
        because={
            "stream_usage": "the last chunk of a stream counts tokens unasked; docs.mistral.ai, "
            "chat completion"
        },
    ),
    Row(
        name="groq",
        base_url="https://api.groq.com/openai/v1",
        auth="bearer",
        endpoints=speaks("chat", "responses", "speech", "transcriptions", "translations"),
        stream_usage=True,
        quirks=(
            NO_DEVELOPER,
            Quirk(
                because="these are answered with 400; console.groq.com, OpenAI compatibility, "
                "unsupported features",
                refuses={"logprobs": (False,), "top_logprobs": (), "logit_bias": ({},)},
                only={"n": (1,)},
                message_omits=frozenset({"name"}),
            ),
        ),
        key_variable="GROQ_API_KEY",
        because={"stream_usage": f"{_COUNTS}; console.groq.com, API reference, chat"},
    ),
    Row(
        name="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        auth="bearer",
        endpoints=speaks("chat", "completions", "embeddings"),
        stream_usage=True,
        quirks=(
            NO_DEVELOPER,
            Quirk(
                because="more sampling, and reasoning back; docs.fireworks.ai, chat completions",
                accepts=READS_REASONING | _SAMPLING,
            ),
        ),
        key_variable="FIREWORKS_API_KEY",
        because={"stream_usage": f"{_COUNTS}; docs.fireworks.ai, chat completions"},
    ),
    Row(
        name="together",
        base_url="https://api.together.xyz/v1",
        auth="bearer",
        endpoints=speaks("chat", "completions", "embeddings", "rerank"),
        stream_usage=True,
        quirks=(
            NO_DEVELOPER,
            OLD_CEILING,
            Quirk(
                because="more sampling; docs.together.ai, chat completions",
                accepts=_SAMPLING,
            ),
        ),
        key_variable="TOGETHER_API_KEY",
        because={"stream_usage": f"{_COUNTS}; docs.together.ai, chat completions"},
    ),
    Row(
        name="perplexity",
        base_url="https://api.perplexity.ai",
        auth="bearer",
        endpoints=speaks("chat"),
        quirks=(
            NO_DEVELOPER,
            OLD_CEILING,
            Quirk(
                because="the Sonar models call no tools of the caller's; "
                "docs.perplexity.ai, chat completions",
                models=("sonar*",),
                refuses={"tools": ([],), "tool_choice": ("none",), "parallel_tool_calls": ()},
                accepts=frozenset({"top_k"}),
            ),
        ),
        key_variable="PERPLEXITY_API_KEY",
        because={
            "stream_usage": "every chunk of a stream counts tokens unasked; docs.perplexity.ai, "
            "chat completions"
        },
    ),
    Row(
        name="xai",
        base_url="https://api.x.ai/v1",
        auth="bearer",
        endpoints=speaks("chat", "responses", "embeddings", "image_generations"),
        stream_usage=True,
        quirks=(
            Quirk(
                because="reasoning models refuse penalties and stop; docs.x.ai, reasoning",
                models=("grok-4*", "grok-code*"),
                but=("*non-reasoning*",),
                refuses={"presence_penalty": (0, 0.0), "frequency_penalty": (0, 0.0), "stop": ()},
            ),
            Quirk(
                because="the effort of these is fixed, and the parameter refused; docs.x.ai, "
                "reasoning",
                models=("grok-4", "grok-4-0709", "grok-4-latest", "grok-4-fast*", "grok-code*"),
                refuses={"reasoning_effort": ()},
            ),
        ),
        key_variable="XAI_API_KEY",
        keeps_responses=True,
        because={
            "keeps_responses": "for 30 days; docs.x.ai, Responses API, stateful conversations",
            "stream_usage": f"{_COUNTS}; docs.x.ai, API reference, chat completions",
        },
    ),
    Row(
        name="huggingface",
        base_url="https://router.huggingface.co/v1",
        auth="bearer",
        endpoints=speaks("chat"),
        stream_usage=True,
        quirks=(NO_DEVELOPER, OLD_CEILING),
        key_variable="HF_TOKEN",
        because={
            "stream_usage": f"{_COUNTS}; huggingface.co/docs, inference providers, chat completion"
        },
    ),
    Row(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        auth="bearer",
        endpoints=speaks("chat", "responses", "completions", "embeddings"),
        stream_usage=True,
        quirks=(
            Quirk(
                because="it passes these on to the models that have them; openrouter.ai/docs, "
                "parameters, prompt caching, reasoning tokens",
                accepts=_SAMPLING | {"cache_control", "reasoning"},
            ),
        ),
        key_variable="OPENROUTER_API_KEY",
        because={"stream_usage": f"{_COUNTS}; openrouter.ai/docs, usage accounting"},
    ),
    Row(
        name="ollama",
        base_url="http://127.0.0.1:11434/v1",
        auth="bearer",
        endpoints=speaks("chat", "completions", "embeddings"),
        private_network=True,
        stream_usage=True,
        quirks=(NO_DEVELOPER, OLD_CEILING),
        because={
            "base_url": "a server on this machine; docs.ollama.com, OpenAI compatibility",
            "stream_usage": f"{_COUNTS}; ibidem, supported fields",
        },
    ),
    Row(
        name="vllm",
        base_url="http://127.0.0.1:8000/v1",
        auth="bearer",
        endpoints=speaks("chat", "responses", "completions", "embeddings", "rerank"),
        private_network=True,
        stream_usage=True,
        quirks=(
            Quirk(
                because="more sampling, and reasoning back; docs.vllm.ai, OpenAI-compatible "
                "server, extra parameters",
                accepts=READS_REASONING | _SAMPLING,
            ),
        ),
        because={
            "base_url": "a server on this machine; docs.vllm.ai, OpenAI-compatible server",
            "stream_usage": f"{_COUNTS}; ibidem",
        },
    ),
    Row(
        name="lm_studio",
        base_url="http://127.0.0.1:1234/v1",
        auth="bearer",
        endpoints=speaks("chat", "responses", "completions", "embeddings"),
        private_network=True,
        stream_usage=True,
        quirks=(
            NO_DEVELOPER,
            OLD_CEILING,
            Quirk(
                because="more sampling; lmstudio.ai/docs, OpenAI compatibility, chat completions",
                accepts=frozenset({"top_k", "repeat_penalty"}),
            ),
        ),
        because={
            "base_url": "a server on this machine; lmstudio.ai/docs, OpenAI compatibility",
            "stream_usage": f"{_COUNTS}; ibidem",
        },
    ),
    Row(
        name="nvidia_nim",
        base_url="https://integrate.api.nvidia.com/v1",
        auth="bearer",
        endpoints=speaks("chat", "completions", "embeddings"),
        stream_usage=True,
        quirks=(NO_DEVELOPER, OLD_CEILING),
        key_variable="NVIDIA_API_KEY",
        because={"stream_usage": f"{_COUNTS}; docs.nvidia.com, NIM for LLMs, API reference"},
    ),
    Row(
        name="cerebras",
        base_url="https://api.cerebras.ai/v1",
        auth="bearer",
        endpoints=speaks("chat", "completions"),
        stream_usage=True,
        quirks=(
            NO_DEVELOPER,
            Quirk(
                because="these are answered with 400; inference-docs.cerebras.ai, OpenAI "
                "compatibility",
                refuses={
                    "frequency_penalty": (0, 0.0),
                    "presence_penalty": (0, 0.0),
                    "logit_bias": ({},),
                },
            ),
        ),
        key_variable="CEREBRAS_API_KEY",
        because={"stream_usage": f"{_COUNTS}; inference-docs.cerebras.ai, chat completions"},
    ),
    Row(
        name="sambanova",
        base_url="https://api.sambanova.ai/v1",
        auth="bearer",
        endpoints=speaks("chat", "embeddings"),
        stream_usage=True,
        quirks=(
            NO_DEVELOPER,
            OLD_CEILING,
            Quirk(
                because="more sampling; docs.sambanova.ai, chat completions",
                accepts=frozenset({"top_k"}),
            ),
        ),
        key_variable="SAMBANOVA_API_KEY",
        because={"stream_usage": f"{_COUNTS}; docs.sambanova.ai, chat completions"},
    ),
    Row(
        name="databricks",
        base_url="",
        auth="bearer",
        endpoints=speaks("chat", "completions", "embeddings"),
        quirks=(NO_DEVELOPER, OLD_CEILING),
        key_variable="DATABRICKS_TOKEN",
        because={
            "base_url": "each workspace has its own, https://<workspace>/serving-endpoints; "
            "docs.databricks.com, foundation model APIs",
        },
    ),
    Row(
        name="watsonx",
        base_url="https://{region}.ml.cloud.ibm.com/ml/gateway/v1",
        auth="bearer",
        fields={"region": None},
        credentials=("ibm_iam", "token"),
        endpoints=speaks("chat", "completions", "embeddings"),
        quirks=(NO_DEVELOPER,),
        because={
            "base_url": "the model gateway of a region, which copies OpenAI's API; "
            "cloud.ibm.com, watsonx.ai model gateway",
        },
    ),
    Row(
        name="openai_compatible",
        base_url="",
        auth="bearer",
        endpoints=speaks("chat", "completions", "embeddings", "rerank", "moderations"),
        because={
            "base_url": "a server of one's own (TGI, llama.cpp, a gateway) or a vendor that copies "
            "the API: there is no common address",
            "stream_usage": "many take stream_options, but strict servers refuse fields that they "
            "do not know, so the policy has to say so: stream_usage: true",
        },
    ),
)
