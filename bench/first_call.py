"""A process that makes one call: `python -m bench.first_call nexus|bare URL CACHE_DIR STATE_DIR`
prints a `cold_start.Start` as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

BEGAN = time.perf_counter()
COMPILE_TIMEOUT_S = 120.0
LOOK_S = 0.005


def main() -> None:
    kind, url, cache, state = sys.argv[1:]
    client, nexus = _client(kind, f"{url}/v1", cache, state)
    made = _since()
    client.chat.completions.create(model="bench", messages=[{"role": "user", "content": "Hello"}])
    found = {"client_ms": made, "answer_ms": _since(), "cpu_ms": time.process_time() * 1e3}
    if nexus is not None:
        found["compiled_ms"] = _compiled(nexus)
        nexus.close()
    print(json.dumps(found))


def _since() -> float:
    return (time.perf_counter() - BEGAN) * 1e3


def _client(kind: str, base_url: str, cache: str, state: str) -> tuple[Any, Any]:
    if kind == "bare":
        import openai

        return openai.OpenAI(base_url=base_url, api_key="sk-bench"), None
    from bench.policy import everything_on
    from nexus_sdk import Nexus, OpenAI
    from nexus_sdk.settings import Settings

    nexus = Nexus(everything_on(), settings=Settings(Path(state), Path(cache), "bench"))
    return OpenAI(nexus=nexus, base_url=base_url, api_key="sk-bench"), nexus


def _compiled(nexus: Any) -> float:
    """When the rules of both stages were compiled. Raises TimeoutError."""
    stages = nexus.snapshot.request_hooks, nexus.snapshot.response_hooks
    deadline = time.monotonic() + COMPILE_TIMEOUT_S
    while not all(stage.scanner.matcher for stage in stages):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the rules were not compiled after {COMPILE_TIMEOUT_S:.0f} s")
        time.sleep(LOOK_S)
    return _since()


if __name__ == "__main__":
    main()
