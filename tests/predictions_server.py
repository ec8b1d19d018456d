"""A server of predictions on this machine, in the shape of Replicate's HTTP API
(https://replicate.com/docs/reference/http): what a version does is in its name."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

TOKEN = "Bearer the-replicate-key"


class Handler(BaseHTTPRequestHandler):
    """`quick` ends at once, `slow` after three questions, `endless` never, `mute` has no stream,
    `broken` fails, `astray` names addresses elsewhere, `flaky` answers its first question with
    503."""

    server: Predictions
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's name
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.note(self, body)
        if self.headers["authorization"] != TOKEN:
            self.answer(401, {"title": "Unauthenticated", "detail": "no token"})
        elif self.path == "/v1/predictions":
            given = json.loads(body)
            ident = self.server.create(given["version"], given["input"].get("prompt", ""))
            self.answer(201, self.server.prediction(ident, asked=False))
        else:
            ident = self.path.split("/")[3]
            self.server.cancelled.append(ident)
            self.server.news.set()
            self.answer(200, {"id": ident, "status": "canceled"})

    def do_GET(self) -> None:
        self.server.note(self, b"")
        if self.headers["authorization"] != TOKEN:
            self.answer(401, {"title": "Unauthenticated", "detail": "no token"})
            return
        self.server.questions.release()
        ident = self.path.split("/")[3]
        if self.path.startswith("/v1/streams/"):
            self.stream(ident)
        elif self.server.stumbles(ident):
            self.answer(503, {"detail": "not now"})
        else:
            self.answer(200, self.server.prediction(ident, asked=True))

    def answer(self, status: int, doc: Any) -> None:
        body = json.dumps(doc).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, ident: str) -> None:
        version, prompt = self.server.made[ident]
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for word in (*self.server.words(prompt), ""):
            if word:
                self.wfile.write(f"event: output\nid: 1:0\ndata: {word}\n\n".encode())
        self.wfile.flush()
        if version == "endless":
            self.server.over.wait(20)
        self.wfile.write(b"event: done\ndata: {}\n\n")
        self.close_connection = True


class Predictions(ThreadingHTTPServer):
    """`asked`: method, path and headers of everything that came, in its order; `cancelled`: the
    predictions that were; `questions`: released for each GET."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.made: dict[str, tuple[str, str]] = {}
        self.cancelled: list[str] = []
        self.news = threading.Event()
        self.questions = threading.Semaphore(0)
        self.over = threading.Event()
        self._questions: dict[str, int] = {}
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.over.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def note(self, handler: Handler, body: bytes) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.asked.append((handler.command, handler.path, headers, body))

    def create(self, version: str, prompt: str) -> str:
        ident = f"p{len(self.made)}"
        self.made[ident] = (version, prompt)
        return ident

    def words(self, prompt: str) -> list[str]:
        return [f"{word} " for word in f"You said: {prompt}".split()]

    def stumbles(self, ident: str) -> bool:
        asked = self._questions.get(ident, 0)
        if self.made[ident][0] != "flaky" or asked:
            return False
        self._questions[ident] = 1
        return True

    def prediction(self, ident: str, *, asked: bool) -> dict[str, Any]:
        version, prompt = self.made[ident]
        questions = self._questions[ident] = self._questions.get(ident, 0) + asked
        here = self.url if version != "astray" else "http://127.0.0.2:9/v1"
        urls = {
            "get": f"{here}/predictions/{ident}",
            "cancel": f"{self.url}/predictions/{ident}/cancel",
        }
        if version not in {"mute", "broken"}:
            urls["stream"] = f"{here}/streams/{ident}"
        doc = {"id": ident, "version": version, "status": "processing", "urls": urls}
        ends = {"quick": 0, "slow": 3, "mute": 1, "flaky": 2, "broken": 1}.get(version, 1_000_000)
        if questions < ends:
            return doc
        if version == "broken":
            return doc | {"status": "failed", "error": "CUDA out of memory"}
        metrics = {"input_token_count": 3, "output_token_count": 5}
        return doc | {"status": "succeeded", "output": self.words(prompt), "metrics": metrics}
