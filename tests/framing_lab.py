"""A framing of our own making: one JSON document a line, between a line that opens and one that
closes, so that a test sees where frames begin and end."""

from __future__ import annotations

from nexus_sdk.errors import UpstreamFailed
from nexus_sdk.wire.framing import Framing
from nexus_sdk.wire.sse import StreamEvent


class _Decoder:
    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[StreamEvent]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [self._event(line) for line in lines if line != b"]"]

    def close(self) -> list[StreamEvent]:
        return []

    @staticmethod
    def _event(line: bytes) -> StreamEvent:
        data = line.removeprefix(b"[")
        if not data.startswith(b"{"):
            raise UpstreamFailed("the upstream's stream holds a line that is none")
        return StreamEvent("", data, raw=data)


class _Encoder:
    def __init__(self) -> None:
        self._opened = False

    def feed(self, event: StreamEvent) -> bytes:
        opening = b"" if self._opened else b"["
        self._opened = True
        return opening + (event.data if event.raw is None else event.raw) + b"\n"

    def close(self) -> bytes:
        return b"]\n" if self._opened else b""


LINES = Framing("lines", "application/x-lines", _Decoder, _Encoder)
