"""What holds for every test: nothing is written into the home folder, no variable of the caller's
environment changes a result, nothing leaves this machine."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile("suite", deadline=None)  # a busy machine is no defect
settings.load_profile("suite")

LOCAL = ("127.", "::1", "localhost")
SECRETS = ("OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_", "AZURE_", "AWS_")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regen", action="store_true", help="write the golden files anew")


@pytest.fixture
def regen(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--regen"))


@pytest.fixture(scope="session", autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home of the test run's own, for this process and for those that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("NEXUS_", *SECRETS)):
                patch.delenv(name)
        home = tmp_path_factory.mktemp("home")
        for variable, folder in {
            "HOME": "",
            "NEXUS_STATE_DIR": "state",
            "NEXUS_CACHE_DIR": "cache",
        }.items():
            (home / folder).mkdir(exist_ok=True)
            patch.setenv(variable, str(home / folder))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Refuse connections that Python's own sockets would make to another machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0]) if isinstance(address, tuple) else ""
            assert host.startswith(LOCAL), f"a test wanted to connect to {address}"
        connect(self, address)  # type: ignore[arg-type]  # what the caller gave

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield
