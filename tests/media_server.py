"""A server of images and sound on this machine, in the shape of OpenAI's API: it remembers what it
was sent."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

SOUND = bytes(range(256)) * 64
IMAGE = {
    "created": 1,
    "data": [{"b64_json": "aWk=", "revised_prompt": "a fox, by bob@corp-mail.com"}],
}
USAGE = {"input_tokens": 10, "output_tokens": 20, "total_tokens": 30}


class Handler(BaseHTTPRequestHandler):
    server: Media
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's name
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): text for name, text in self.headers.items()}
        self.server.asked.append((self.path, headers, body))
        if self.path.endswith("/audio/speech"):
            self.sound(cut=b"cut-voice" in body)
        elif "/images/" in self.path:
            self.answer("application/json", json.dumps(IMAGE | {"usage": USAGE}).encode())
        elif b"\r\n\r\ntext\r\n" in body:
            self.answer("text/plain; charset=utf-8", b"call bob@corp-mail.com")
        else:
            self.answer("application/json", b'{"text":"call bob@corp-mail.com"}')

    def answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def sound(self, *, cut: bool) -> None:
        self.send_response(200)
        self.send_header("content-type", "audio/mpeg")
        self.send_header("content-length", str(len(SOUND)))
        self.end_headers()
        self.wfile.write(SOUND[:1000] if cut else SOUND)
        self.close_connection = cut


class Media(ThreadingHTTPServer):
    """`asked`: path, headers and body of all that came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)

    def policy(self, **more: Any) -> dict[str, Any]:
        """Models of this server, and one of a provider without such operations."""
        return {
            "providers": {
                "media": {
                    "kind": "openai",
                    "api_key": "the-media-key",
                    "base_url": self.url,
                    "private_network": True,
                },
                "claude": {"kind": "anthropic", "api_key": "k"},
            },
            "routing": {
                "models": {
                    "picture": "media/gpt-image-1",
                    "voice": "media/tts-1",
                    "ear": "media/whisper-1",
                    "elsewhere": "claude/c",
                },
                "unlisted": "refuse",
                "retry": {"attempts": 1},
            },
            **more,
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
