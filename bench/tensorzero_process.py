"""TensorZero's embedded gateway, run by the Python of its own environment: prints its URL and
waits."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import warnings
from urllib.parse import urlsplit


def main() -> None:
    said = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the gateway logs to its standard output
    warnings.simplefilter("ignore")  # it advises to deploy its server, which comes in no package
    openai = importlib.import_module("openai")
    tensorzero = importlib.import_module("tensorzero")
    client = tensorzero.patch_openai_client(
        openai.OpenAI(api_key="none"), config_file=sys.argv[1], async_setup=False
    )
    url = urlsplit(str(client.base_url))
    print(f"{url.scheme}://{url.netloc}", file=said, flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
