"""The page of a watch: the picture with its heat, the score and its course, for a browser on this machine.

Four addresses are answered, each by what is in memory; no part of an address ever becomes a path. A page of somebody
else's that a browser has open may send requests to this machine too: they are refused by their ``Host``, which is then
the other's name, and what is answered may not be shown on other pages.
"""

import ipaddress
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from datamodules.errors import InputError
from fulgurite.live.picture import Picture, pause

MOST_VIEWERS = 8
"""Streams of pictures at once."""
_PATIENCE = 10.0  # seconds that a browser gets to take or send something
_BOUNDARY = "next-picture"
_POLICY = "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
HEADERS = {
    "Content-Security-Policy": _POLICY + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Page:
    """Serves the page until it is closed.

    Args:
        picture: what is shown.
        port: of the server; 0 takes a free one.
        host: address that it listens at.

    Attributes:
        address: what to open in a browser.

    Raises:
        InputError: if the port is taken, or the address is none of this machine.
    """

    def __init__(self, picture: Picture, port: int, host: str) -> None:
        try:
            self._server = _Server((host, port), picture)
        except (OSError, OverflowError) as problem:
            raise InputError(f"--page {port}: cannot listen at {host} ({problem}); give another port or host") from None
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{self._server.server_address[1]}/"
        self._picture = picture
        threading.Thread(target=self._server.serve_forever, name="page", daemon=True).start()

    def close(self) -> None:
        """End the streams, and the server."""
        self._picture.close()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], picture: Picture) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.picture = picture
        self.viewers = threading.BoundedSemaphore(MOST_VIEWERS)
        templates = files("fulgurite.pages") / "templates"
        self.files = {
            "/": ("text/html; charset=utf-8", (templates / "watch.html").read_bytes()),
            "/watch.js": ("text/javascript; charset=utf-8", (templates / "watch.js").read_bytes()),
            "/style.css": ("text/css; charset=utf-8", (templates / "style.css").read_bytes()),
        }
        super().__init__(address, _Handler)
        self.is_local = ipaddress.ip_address(self.socket.getsockname()[0]).is_loopback

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that has gone away; what else fails is a defect, and is shown."""
        import sys

        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def knows(self, host: str) -> bool:
        """Whether a request was meant for this server, by the ``Host`` that it names."""
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        name = name.strip("[]").lower()
        if name == "localhost":
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return not self.is_local and name in (socket.gethostname().lower(), socket.getfqdn().lower())
        return address.is_loopback or not self.is_local  # nobody can let a number lead elsewhere


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _PATIENCE
    server_version, sys_version = "fulgurite", ""

    def do_GET(self) -> None:
        if not self.server.knows(self.headers.get("Host", "")):
            self._answer(421, "text/plain", b"This server does not go by that name.\n")
        elif self.path in self.server.files:
            self._answer(200, *self.server.files[self.path])
        elif self.path == "/state":
            self._answer(200, "application/json", json.dumps(self.server.picture.facts(), allow_nan=False).encode())
        elif self.path == "/stream":
            self._stream()
        else:
            self._answer(404, "text/plain", b"There is nothing here.\n")

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self._head(status, kind, {"Content-Length": str(len(content))})
        self.wfile.write(content)

    def _head(self, status: int, kind: str, more: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **HEADERS, **more}.items():
            self.send_header(name, value)
        self.end_headers()

    def _stream(self) -> None:
        """Send one picture after the other, the newest each time."""
        if not self.server.viewers.acquire(blocking=False):
            self._answer(503, "text/plain", b"Too many are looking already.\n")
            return
        try:
            self._head(200, f"multipart/x-mixed-replace; boundary={_BOUNDARY}", {"Connection": "close"})
            known, began = -1, time.monotonic()
            while (shown := self.server.picture.wait(known)) is not None:
                known, jpeg = shown
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
                pause(began)
                began = time.monotonic()
        finally:
            self.server.viewers.release()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the screen belongs to the watch."""
