from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nexus_sdk.demo.model_server import ModelServer

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOCK = 1_750_000_000.0


@pytest.fixture(scope="module")
def running() -> Iterator[ModelServer]:
    with ModelServer(clock=lambda: CLOCK) as server:
        yield server


@pytest.fixture
def server(running: ModelServer) -> ModelServer:
    """A server that has seen nothing."""
    running.clear()
    return running
