"""The texts of a scan: files, folders and standard input, read piece by piece."""

from __future__ import annotations

import codecs
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

PIECE_BYTES = 1 << 20
_PASSED_OVER = frozenset({".git", ".hg", ".svn"})
"""Folders of version control: packed objects, which hold no text."""


class NotText(Exception):
    """The file is none that rules can read; the message says why."""


@dataclass(frozen=True, slots=True)
class Input:
    """`name`: as it was given, or as it was found below a folder. `path` None: standard input."""

    name: str
    path: Path | None

    def pieces(self) -> Iterator[str]:
        """The text, line ends as they are. Raises NotText and OSError, also in the middle."""
        with self._opened() as file:
            yield from _decoded(file)

    def _opened(self) -> AbstractContextManager[BinaryIO]:
        return nullcontext(sys.stdin.buffer) if self.path is None else self.path.open("rb")


def inputs(names: Iterable[str], *, recursive: bool) -> list[Input]:
    """What `names` stand for; `-` is standard input. Raises UsageError for a folder that is not to
    be gone through. Below a folder, links are not followed."""
    found: list[Input] = []
    for name in names:
        if name == "-":
            found.append(Input("-", None))
        elif not Path(name).is_dir():
            found.append(Input(name, Path(name)))
        elif recursive:
            found += (Input(str(path), path) for path in _below(Path(name)))
        else:
            raise click.UsageError(f"{name} is a folder; --recursive goes through it")
    return found


def _below(folder: Path) -> Iterator[Path]:
    for at, folders, files in folder.walk():
        folders[:] = sorted(name for name in folders if name not in _PASSED_OVER)
        paths = (at / name for name in sorted(files))
        yield from (path for path in paths if path.is_file() and not path.is_symlink())


def _decoded(file: BinaryIO) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    done = 0
    while data := file.read(PIECE_BYTES):
        if b"\0" in data:
            raise NotText(f"is binary (byte {done + data.index(0)})")
        yield _text(decoder, data, done)
        done += len(data)
    yield _text(decoder, b"", done)


def _text(decoder: codecs.IncrementalDecoder, data: bytes, done: int) -> str:
    waiting = len(decoder.getstate()[0])
    try:
        return decoder.decode(data, final=not data)
    except UnicodeDecodeError as err:
        raise NotText(f"is not UTF-8 (byte {done - waiting + err.start})") from None
