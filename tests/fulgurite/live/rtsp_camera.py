"""A camera as a program of its own: ``python rtsp_camera.py PORT``; RTSP over TCP, H.264 in a transport stream.

It films a room in which the light is on in every other second, the first among them, at ten frames a second, and asks
for a password.
"""

import base64
import socket
import struct
import sys
import time

import av
import numpy as np

FPS, EDGE = 10, 64
SECRET = "Basic " + base64.b64encode(b"me:secret").decode()
DESCRIPTION = "\r\n".join(
    [
        "v=0",
        "o=- 0 0 IN IP4 127.0.0.1",
        "s=room",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "m=video 0 RTP/AVP 33",
        "a=control:track1",
        "",
    ]
)


class Packets:
    """Takes what an encoder writes, and sends it as RTP within the connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._number, self._rest = connection, 0, b""

    def write(self, data: bytes) -> int:
        self._rest += bytes(data)
        while len(self._rest) >= 188:
            count = min(7, len(self._rest) // 188) * 188
            payload, self._rest = self._rest[:count], self._rest[count:]
            clock = int(time.monotonic() * 90_000) & 0xFFFFFFFF
            packet = struct.pack(">BBHII", 0x80, 33, self._number & 0xFFFF, clock, 7) + payload
            self._number += 1
            self._connection.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
        return len(data)


def talk(connection: socket.socket) -> bool:
    """Answer until the pictures are asked for; tell whether they were."""
    text = b""
    while True:
        while b"\r\n\r\n" not in text:
            more = connection.recv(4096)
            if not more:
                return False
            text += more
        request, _, text = text.partition(b"\r\n\r\n")
        first, *lines = request.decode().split("\r\n")
        method, address, _ = first.split()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status, more, body = "200 OK", "", ""
        if method != "OPTIONS" and headers.get("authorization") != SECRET:
            status, more = "401 Unauthorized", 'WWW-Authenticate: Basic realm="room"\r\n'
        elif method == "OPTIONS":
            more = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        elif method == "DESCRIBE":
            body = DESCRIPTION
            more = f"Content-Base: {address}/\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        elif method == "SETUP":
            more = "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
        elif method == "PLAY":
            more = "Session: 1\r\nRange: npt=0.000-\r\n"
        connection.sendall(f"RTSP/1.0 {status}\r\nCSeq: {headers.get('cseq', '0')}\r\n{more}\r\n{body}".encode())
        if method == "PLAY" and status.startswith("200"):
            return True


def film(connection: socket.socket) -> None:
    """Send pictures until nobody takes them."""
    with av.open(Packets(connection), "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"tune": "zerolatency", "g": "5"})
        stream.height = stream.width = EDGE
        stream.pix_fmt = "yuv420p"
        began = time.monotonic()
        for number in range(100_000):
            picture = np.full((EDGE, EDGE, 3), 60 if number // FPS % 2 else 180, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            time.sleep(max(0.0, began + (number + 1) / FPS - time.monotonic()))


def main() -> None:
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), reuse_port=False) as server:
        print("ready", flush=True)
        while True:
            connection, _ = server.accept()
            with connection:
                try:
                    if talk(connection):
                        film(connection)
                except OSError:
                    continue


if __name__ == "__main__":
    main()
