"""What a caller can see of a result or an exception, as plain values that compare field by
field."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import openai
import pydantic

if TYPE_CHECKING:
    from collections.abc import Mapping

OURS = ("x-nexus-",)
HOPS = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "date"}
)
"""Headers of one connection: what we hand on is not framed as it came."""
TRAVEL = frozenset({"host", "accept-encoding", "connection", "content-length", "accept"})
"""Request headers that belong to the HTTP client and not to the SDK."""

type Portrait = Any


def portrait(value: object) -> Portrait:
    """Models to the last unset field; everything else with its exact type."""
    if isinstance(value, pydantic.BaseModel):
        return {
            "type": f"{type(value).__module__}.{type(value).__qualname__}",
            "fields": {name: portrait(item) for name, item in value.__dict__.items()},
            "set": sorted(value.model_fields_set),
            "extra": portrait(value.__pydantic_extra__),
            "request_id": getattr(value, "_request_id", "none"),
            "json": value.model_dump_json(warnings=False),
            "set json": value.model_dump_json(warnings=False, exclude_unset=True, by_alias=True),
        }
    if isinstance(value, dict):
        return {key: portrait(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [type(value).__name__, *map(portrait, value)]
    return (type(value).__name__, repr(value))


def portrait_of_error(error: BaseException) -> Portrait:
    seen: dict[str, Portrait] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "said": str(error),
    }
    if isinstance(error, openai.APIConnectionError):
        # Ours goes on after the stock message and tells the reason; the cause is of the HTTP
        # library in both.
        http = importlib.import_module(type(error.request).__module__.partition(".")[0])
        cause = isinstance(error.__cause__, http.TransportError)
        return {
            "type": seen["type"],
            "said": str(error)[:16],
            "path": error.request.url.path,
            "cause": cause,
        }
    if isinstance(error, openai.APIError):
        seen |= {
            "message": error.message,
            "body": portrait(error.body),
            "code": error.code,
            "param": error.param,
            "kind": error.type,
            "method": error.request.method,
            "path": error.request.url.path,
            "family": type(error.request).__module__.partition(".")[0],
        }
    if isinstance(error, openai.APIStatusError):
        seen |= {
            "status": error.status_code,
            "request_id": error.request_id,
            "response": portrait_of_response(error.response),
            "text": error.response.text,
        }
    return seen


def portrait_of_response(response: Any) -> Portrait:
    return {
        "status": response.status_code,
        "headers": upstream_headers(response.headers),
        "family": type(response).__module__.partition(".")[0],
        "url": response.request.url.path,
        "is_closed": response.is_closed,
    }


def upstream_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """What the upstream said, less what is of the connection."""
    return {
        name.lower(): value
        for name, value in headers.items()
        if name.lower() not in HOPS and not name.lower().startswith(OURS)
    }


def told_upstream(headers: Mapping[str, str]) -> dict[str, str]:
    """What the caller's SDK says to the upstream."""
    return {
        name.lower(): value
        for name, value in headers.items()
        if name.lower() not in TRAVEL | {"x-stainless-retry-count"}
    }


def differences(ours: Portrait, stock: Portrait, at: str = "") -> list[str]:
    """Where two portraits differ, a line each."""
    if isinstance(ours, dict) and isinstance(stock, dict):
        named = {
            key: (ours.get(key, "absent"), stock.get(key, "absent")) for key in {**stock, **ours}
        }
        return [line for key, (a, b) in named.items() for line in differences(a, b, f"{at}.{key}")]
    if isinstance(ours, list) and isinstance(stock, list) and len(ours) == len(stock):
        pairs = enumerate(zip(ours, stock, strict=True))
        return [line for index, (a, b) in pairs for line in differences(a, b, f"{at}[{index}]")]
    return [] if ours == stock else [f"{at}: ours {ours!r}, stock {stock!r}"]
