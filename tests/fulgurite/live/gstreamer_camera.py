"""The same by GStreamer's RTSP server, for the Python that has its bindings: ``python3 gstreamer_camera.py PORT``."""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402  # after the versions were named

PIPELINE = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=64,height=64,framerate=10/1 "
    "! x264enc tune=zerolatency key-int-max=5 ! rtph264pay name=pay0 pt=96 )"
)


def main() -> None:
    Gst.init(None)
    if any(Gst.ElementFactory.find(name) is None for name in ("x264enc", "rtph264pay", "videotestsrc")):
        raise SystemExit("plugins are missing")
    if len(sys.argv) < 2:
        return
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(PIPELINE)
    factory.set_shared(True)
    server.get_mount_points().add_factory("/room", factory)
    server.attach(None)
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
