"""`nexus sidecar`: the /v1 server."""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nexus_sdk.cli.commands import Command

if TYPE_CHECKING:
    from nexus_sdk.cli.session import Session

_LOCAL = ("127.0.0.1", "::1", "localhost")
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(cls=Command)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    default=8787,
    type=click.IntRange(0, 65535),
    show_default=True,
    help="0 takes a free one.",
)
@click.option("--certificate", type=_FILE, metavar="FILE", help="Serve TLS with this PEM chain.")
@click.option("--key-file", type=_FILE, metavar="FILE", help="The certificate's key, PEM.")
@click.option("--metrics-anywhere", is_flag=True, help="Show /metrics to other machines too.")
@click.pass_obj
def sidecar(session: Session, /, **given: Any) -> None:
    """Serve /v1 to every OpenAI and Anthropic client, under the policy.

    The URL goes to standard output. When the policy has no keys, one is made for this run and
    shown on standard error, once.
    """
    if (given["certificate"] is None) != (given["key_file"] is None):
        raise click.UsageError("--certificate and --key-file go together")
    server = _server()
    settings = session.settings()
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    options = server.Options(
        host=given["host"],
        port=given["port"],
        certificate=given["certificate"],
        key=given["key_file"],
        metrics_anywhere=given["metrics_anywhere"],
    )
    running = server.Sidecar(session.source(), options, settings)
    running.serve(lambda: _announce(session, running, given["host"]))


def _server() -> Any:
    """The server's module. It is another program on top of this library, which knows it by name
    only."""
    try:
        return import_module("nexus_sidecar.server")
    except ImportError as err:
        raise click.ClickException(
            f"the sidecar's packages are missing ({err.msg}): pip install 'nexus-sdk[sidecar]'"
        ) from None


def _announce(session: Session, running: Any, host: str) -> None:
    out = session.out
    if out.json:
        out.line({"url": running.url, "policy": running.nexus.snapshot.hash})
    else:
        out.say(running.url)
    if running.minted:
        out.note("the policy has no keys; for this run, and shown this once:")
        out.note(f"  KEY={running.minted}")
    if host not in _LOCAL and not running.url.startswith("https:"):
        out.note("keys and prompts travel unencrypted: --certificate and --key-file serve TLS")
    if not out.json:
        out.note(_example(running.url))


def _example(url: str) -> str:
    return (
        "try it:\n"
        f"  curl {url}/v1/chat/completions -H 'content-type: application/json' \\\n"
        f'    -H "authorization: Bearer $KEY" \\\n'
        '    -d \'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}\''
    )
