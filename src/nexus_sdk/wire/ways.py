"""How one operation is done at one provider: the shape of a row's entries (`providers/`)."""

from __future__ import annotations

from typing import NamedTuple

from nexus_sdk.wire.framing import SSE


class Way(NamedTuple):
    """How one operation is done at a provider.

    `dialect` of the body, empty where it has none. `path`: below the base URL, with `{model}` where
    it names the model, and with the policy's fields (`{project}`). `stream_path`: another one for
    streams. `framing`: of a stream's events (`wire/framing.py`). `plain`: characters of a model's
    name that stand unescaped in the path, beside letters, digits and `-._~`. `predicts`: the answer
    takes several exchanges (`predictions.py`).
    """

    dialect: str
    path: str
    stream_path: str = ""
    framing: str = SSE
    plain: str = ""
    predicts: bool = False
