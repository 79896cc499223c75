"""A server in the place of Weights & Biases that counts who calls, and answers in one of several wrong ways."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Answer = Literal["good", "half", "falls silent", "dead", "slow", "garbage", "huge", "redirect", "403", "404", "500"]
PROJECT = {"name": "p", "entity": {"name": "somebody"}}
BEGUN = {
    "model": {"bucket": None, "entity": {"name": "somebody"}},
    "upsertBucket": {"bucket": {"id": "a", "name": "a", "displayName": "a", "project": PROJECT}, "inserted": True},
}
ARTIFACT = {"id": "a", "digest": "0", "state": "COMMITTED", "versionIndex": 0}
KEPT = {
    "viewer": {"id": "u", "username": "somebody", "entity": "somebody", "flags": "{}", "teams": {"edges": []}},
    "createArtifact": {"artifact": {**ARTIFACT, "artifactSequence": {"id": "s", "latestArtifact": ARTIFACT}}},
    "useArtifact": {"artifact": ARTIFACT},
    "project": None,
}
"""What a server says that knows the key, and has each artifact already."""
FILES = {"createRunFiles": {"runID": "a", "uploadHeaders": [], "files": []}}
"""Without them W&B's own process ends itself as it uploads."""


class Server(ThreadingHTTPServer):
    """Answers every request alike.

    Attributes:
        requests: what was asked for; calls for other servers come here too, as to a proxy.
    """

    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.requests = answer, list[str]()

    def environment(self) -> dict[str, str]:
        """Return the variables that lead W&B, and whatever else uses the network, to this server."""
        here = f"http://127.0.0.1:{self.server_address[1]}"
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), here)
        return {"WANDB_BASE_URL": here, "WANDB_API_KEY": "a" * 40, "NO_PROXY": "127.0.0.1", **proxies}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: the other side hangs up where it has had enough."""


@contextmanager
def serve(answer: Answer) -> Iterator[Server]:
    """Serve within the block."""
    server = Server(answer)
    if answer == "dead":
        server.server_close()
        yield server
        return
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def _any(self) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        answer = self.server.answer
        asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        begins = b"RunResumeStatus" in asked or b"UpsertBucket" in asked
        if answer == "slow" or (answer == "falls silent" and not begins):
            time.sleep(3600)
        elif answer == "huge":
            self._send(200, b"x" * 2**20, times=2**10)
        elif answer == "garbage":
            self._send(200, bytes(range(256)) * 8)
        elif answer == "redirect":
            self._send(302, b"", Location=self.path)
        elif answer.isdecimal():
            self._send(int(answer), b"{}")
        else:
            data = BEGUN if answer == "half" else BEGUN | FILES | KEPT
            self._send(200, json.dumps({"data": data} if self.path == "/graphql" else {}).encode())

    def _send(self, status: int, body: bytes, times: int = 1, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body) * times)}.items():
            self.send_header(name, value)
        self.end_headers()
        for _ in range(times):
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    do_GET = do_POST = do_PUT = do_HEAD = do_CONNECT = do_DELETE = do_PATCH = _any
