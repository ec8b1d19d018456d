"""One sidecar for all the clients' tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.sidecar.clients.doors import Doors

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def _open_doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with Doors(tmp_path_factory.mktemp("doors")) as running:
        yield running


@pytest.fixture
def doors(_open_doors: Doors) -> Iterator[Doors]:
    """A sidecar in front of a model server that has received nothing yet. After the test, nothing
    that the policy guards has reached the model server."""
    _open_doors.models.clear()
    yield _open_doors
    _open_doors.check()
