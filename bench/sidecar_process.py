"""The sidecar as it is measured: `python -m bench.sidecar_process UPSTREAM CACHE_DIR` prints its
URL and a key."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.policy import everything_on
from nexus_sdk.settings import Settings
from nexus_sidecar.server import Options, Sidecar


def main() -> None:
    upstream, cache = sys.argv[1:]
    with tempfile.TemporaryDirectory() as state:
        settings = Settings(state_dir=Path(state), cache_dir=Path(cache), node="bench")
        sidecar = Sidecar(everything_on(upstream), Options(port=0), settings)
        sidecar.serve(lambda: print(sidecar.url, sidecar.minted, flush=True))


if __name__ == "__main__":
    main()
