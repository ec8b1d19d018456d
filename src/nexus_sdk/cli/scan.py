"""`nexus scan`: what the rules of the policy find in texts at hand."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import click

from nexus_sdk.cli.commands import Command
from nexus_sdk.cli.exits import Exit
from nexus_sdk.cli.reading import Input, NotText, inputs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nexus_sdk.cli.output import Output
    from nexus_sdk.cli.scanning import Hit, Scan
    from nexus_sdk.cli.session import Session
    from nexus_sdk.compliance.hooks import Effective

MAX_LISTED = 10_000
"""Findings listed one by one; the rest is counted."""
_COLUMNS = ("place", "rule", "severity", "action", "sample")


@dataclass(slots=True)
class Results:
    """Of all files. `listed`: file and finding. `skipped`: file and reason."""

    files: int = 0
    total: int = 0
    enforcing: int = 0
    listed: list[tuple[str, Hit]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, hits: list[Hit]) -> None:
        self.total += len(hits)
        self.enforcing += sum(hit.action != "approve" for hit in hits)
        self.listed += ((name, hit) for hit in hits[: MAX_LISTED - len(self.listed)])

    @property
    def whole(self) -> int:
        """How many texts were scanned to their end."""
        return self.files - len(self.skipped)

    def told(self) -> dict[str, Any]:
        return {
            "files": self.whole,
            "findings": [{"file": name, **asdict(hit)} for name, hit in self.listed],
            "findings_omitted": self.total - len(self.listed),
            "enforcing": self.enforcing,
            "skipped": [{"file": name, "reason": reason} for name, reason in self.skipped],
        }


class Texts:
    """The rules of one stage of the policy, ready to scan one text after another."""

    def __init__(self, session: Session, stage: str, endpoint: str, model: str) -> None:
        from nexus_sdk.compliance.vault import Vault
        from nexus_sdk.drivers.matcher import attach

        self._vault = Vault
        with session.nexus() as nexus:
            snapshot = nexus.snapshot
            hooks = {"request": snapshot.request_hooks, "response": snapshot.response_hooks}[stage]
            self._effective: Effective = hooks.effective(endpoint, model, "")
            self._mac = snapshot.placeholder_mac
            attach([self._effective.scanner], nexus.settings.cache_dir, wait=True)

    def scan(self) -> Scan:
        from nexus_sdk.cli.scanning import Scan

        return Scan(self._effective, self._vault(self._mac))


@click.command(cls=Command)
@click.argument("files", metavar="FILE...|-", nargs=-1, required=True)
@click.option(
    "--stage",
    type=click.Choice(["request", "response"]),
    default="request",
    show_default=True,
    help="Whose rules: those for requests, or those for answers.",
)
@click.option("--endpoint", default="chat", show_default=True, help="For hooks of some endpoints.")
@click.option("--model", default="", help="For hooks of some models.")
@click.option("--recursive", "-r", is_flag=True, help="Go through folders.")
@click.option("--redact", is_flag=True, help="Print the one text, redacted, instead of a table.")
@click.option("--fail", is_flag=True, help="Exit code 1 when a rule would redact or block.")
@click.pass_obj
def scan(session: Session, /, files: tuple[str, ...], **options: Any) -> Exit:
    """Show what the policy's rules find in texts (- is standard input), and never a found value.

    Files that are binary or not UTF-8 are passed over, with a note.
    """
    found = inputs(files, recursive=options["recursive"])
    if options["redact"] and len(found) != 1:
        raise click.UsageError("--redact takes one text")
    texts = Texts(session, options["stage"], options["endpoint"], options["model"])
    results = Results()
    if options["redact"]:
        _redact(session.out, found[0], texts, results)
    else:
        for text in session.out.progress(found, "scanning"):
            _examine(text, texts, results)
        _show(session.out, results)
    return Exit.NO if options["fail"] and results.enforcing else Exit.OK


def _examine(text: Input, texts: Texts, results: Results) -> None:
    """A text that is not there ends everything; one that cannot be read is noted, and the part
    before the fault counts."""
    scanning = texts.scan()
    for _ in scanning.parts(_pieces(text, results)):
        results.add(text.name, scanning.take())
    results.files += 1


def _pieces(text: Input, results: Results) -> Iterator[str]:
    try:
        yield from text.pieces()
    except NotText as err:
        results.skipped.append((text.name, str(err)))
    except PermissionError as err:
        results.skipped.append((text.name, f"cannot be read: {err.strerror}"))


def _redact(out: Output, text: Input, texts: Texts, results: Results) -> None:
    scanning = texts.scan()
    parts = _readable(text, scanning)
    kept: list[str] = []
    for part in parts:
        results.add(text.name, scanning.take())
        if out.json:
            kept.append(part)
        else:
            sys.stdout.buffer.write(part.encode())
    results.files = 1
    if out.json:
        out.document({**results.told(), "text": "".join(kept)})


def _readable(text: Input, scanning: Scan) -> Iterator[str]:
    try:
        yield from scanning.parts(text.pieces())
    except NotText as err:
        raise click.ClickException(f"{text.name} {err}") from None


def _show(out: Output, results: Results) -> None:
    if out.json:
        out.document(results.told())
        return
    if results.listed:
        out.table(_COLUMNS, [_row(name, hit) for name, hit in results.listed])
    omitted = results.total - len(results.listed)
    if omitted:
        out.note(f"and {omitted} more")
    for name, reason in results.skipped:
        out.note(f"{name} {reason}: passed over from there on")
    out.note(
        f"{results.total} finding{'' if results.total == 1 else 's'}, {results.enforcing} of them "
        f"to be redacted or blocked, in {results.whole} text{'' if results.whole == 1 else 's'}"
    )


def _row(name: str, hit: Hit) -> tuple[str, ...]:
    return (f"{name}:{hit.line}:{hit.column}", hit.rule, hit.severity, hit.action, hit.sample)
