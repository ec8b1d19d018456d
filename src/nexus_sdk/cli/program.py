"""`nexus` as a whole: its commands, and how it ends."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import Any, NoReturn

import click

from nexus_sdk.cli.audit import audit
from nexus_sdk.cli.commands import Group
from nexus_sdk.cli.demo import demo
from nexus_sdk.cli.doctor import doctor
from nexus_sdk.cli.exits import EXPECTED, MEANINGS, Exit, ending
from nexus_sdk.cli.explain import explain
from nexus_sdk.cli.init import init
from nexus_sdk.cli.keys import keys
from nexus_sdk.cli.output import readable
from nexus_sdk.cli.policy import policy
from nexus_sdk.cli.scan import scan
from nexus_sdk.cli.sidecar import sidecar
from nexus_sdk.cli.usage import usage


class ReaderLeft(Exception):
    """Whoever read our output closed it (`nexus audit export | head`)."""


class Program(Group):
    """The root group. It alone turns errors into messages and exit codes."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        given = kwargs.get("args") or (args[0] if args else None) or sys.argv[1:]
        sys.exit(self._run(args, kwargs, as_json="--json" in given))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as err:  # click would end with 1, which means something here
            raise ReaderLeft from err

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), told) for code, told in MEANINGS.items()])

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any], *, as_json: bool) -> int:
        try:
            status = super().main(*args, **{**kwargs, "standalone_mode": False})
            sys.stdout.flush()
        except (ReaderLeft, BrokenPipeError):
            _discard_output()
            return Exit.INTERRUPTED
        except (click.Abort, KeyboardInterrupt):
            return Exit.INTERRUPTED
        except EXPECTED as err:
            return _complain(err, as_json=as_json)
        return int(status or Exit.OK)


def _complain(error: Exception, *, as_json: bool) -> Exit:
    status, code, message = ending(error)
    if as_json:
        click.echo(json.dumps({"error": {"code": code, "message": message}}), err=True)
    elif isinstance(error, click.ClickException):
        error.show()
    else:
        click.echo(f"Error: {readable(message)}", err=True)
    return status


def _discard_output() -> None:
    """Let the interpreter's last flush go nowhere instead of failing once more (the manual of
    Python's `signal` module, note on SIGPIPE)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nexus-sdk", message="%(prog)s %(version)s")
def program() -> None:
    """One policy over an organisation's LLM traffic: check it, try it, run it, audit it.

    Every command takes the options below as well.
    """


for _command in (
    init,
    policy,
    scan,
    explain,
    keys,
    audit,
    usage,
    sidecar,
    demo,
    doctor,
):
    program.add_command(_command)


def main() -> NoReturn:
    """The `nexus` script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what the terminal cannot show must not end us
            stream.reconfigure(errors="backslashreplace")
    program.main(prog_name="nexus")
