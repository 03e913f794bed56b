"""The built-in RTSP server: clips as cameras, looped at their own pace without encoding.

python -m pipeline.gst.rtsp_server --port 8554 gate=gate.mp4 road=road.mp4
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer

from pipeline.gst.clips import Clip, Picture, prepare_clip, read_clip

_PAYLOADERS = {
    "video/x-h264": "h264parse ! rtph264pay pt=96 config-interval=-1 aggregate-mode=zero-latency",
    "video/x-h265": "h265parse ! rtph265pay pt=96 config-interval=-1 aggregate-mode=zero-latency",
    "image/jpeg": "rtpjpegpay pt=26",
}


@dataclass(frozen=True, slots=True)
class Stream:
    """The stream that one path of the server sends.

    Attributes:
        caps: what the images are.
        images: makes the images of one session. When they end so does the stream; a None
            among them means that nothing more will be said, with the session left open.
        launch: elements from the images to RTP packets, the last one without a name.
        live: the images are stamped when they are given, not by themselves.
        beside: launch text of further streams, such as sound, named ``pay1``, ``pay2``, …
    """

    caps: str
    pictures: Callable[[], Iterator[Picture | None]]
    launch: str
    live: bool = False
    beside: str = ""


def looped(clip: Clip) -> Stream:
    """A clip from its first image for each session, for ever."""
    return Stream(clip.caps, clip.loop, _PAYLOADERS[clip.caps.partition(",")[0]])


class RtspServer:
    """An RTSP server on its own thread.

    Args:
        port: where to listen; 0 takes a free one.
        address: the interface to listen on.
        certificate: a PEM file with certificate and key, to serve ``rtsps``.

    Attributes:
        port: the port it listens on; a free one when constructed with 0.
    """

    def __init__(
        self, port: int = 0, address: str = "127.0.0.1", certificate: Path | None = None
    ) -> None:
        self._address = address
        self._context = GLib.MainContext.new()
        self._loop = GLib.MainLoop.new(self._context, False)
        self._server = GstRtspServer.RTSPServer()
        self._server.set_address(address)
        self._server.set_service(str(port))
        self._auth = GstRtspServer.RTSPAuth()
        self._auth.set_default_token(_token("anonymous"))
        self._auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        self._scheme = "rtsp"
        if certificate is not None:
            self._scheme = "rtsps"
            self._auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(str(certificate)))
        self._server.set_auth(self._auth)
        if self._server.attach(self._context) == 0:
            raise OSError(f"cannot listen on {address}:{port}")
        self.port: int = self._server.get_bound_port()
        self._thread = threading.Thread(target=self._loop.run, name="rtsp-server", daemon=True)

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stops answering and ends the thread."""
        self._loop.quit()
        self._thread.join(timeout=5)

    def url(self, name: str) -> str:
        """The address of a mounted stream."""
        return f"{self._scheme}://{self._address}:{self.port}/{name}"

    def mount(self, name: str, stream: Stream, login: tuple[str, str] | None = None) -> None:
        """Serves ``stream`` at ``/name``; with ``login`` (user, password) by digest alone."""
        factory = GstRtspServer.RTSPMediaFactory()
        live = "is-live=true do-timestamp=true" if stream.live else "is-live=false"
        first, _, last = stream.launch.rpartition("!")
        payload = f"{first} ! {last} name=pay0" if first else f"{last} name=pay0"
        factory.set_launch(f"( appsrc name=source format=time {live} ! {payload} {stream.beside} )")
        factory.set_latency(0)
        factory.connect("media-configure", _configure, stream)
        self._permit(factory, login)
        self._server.get_mount_points().add_factory(f"/{name}", factory)

    def _permit(self, factory: Any, login: tuple[str, str] | None) -> None:
        """Without an entry for "anonymous" gst-rtsp-server answers 404 where 401 is meant."""
        permissions = GstRtspServer.RTSPPermissions()
        _allow(permissions, "anonymous", construct=login is None)
        if login is not None:
            user, password = login
            self._auth.add_digest(user, password, _token(user))
            _allow(permissions, user, construct=True)
        factory.set_permissions(permissions)


def _token(role: str) -> Any:
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, role)
    return token


def _allow(permissions: Any, role: str, construct: bool) -> None:
    for permission, allowed in (
        (GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, True),
        (GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, construct),
    ):
        permissions.add_permission_for_role(role, permission, allowed)


def _configure(_factory: Any, media: Any, stream: Stream) -> None:
    """Gives a new session its own turn through the images."""
    pictures = stream.pictures()
    silent = False
    source = media.get_element().get_by_name("source")
    source.set_property("caps", Gst.Caps.from_string(stream.caps))

    def push(source: Any, _bytes: int) -> None:
        nonlocal silent
        if silent:
            return
        for picture in pictures:
            if picture is None:
                silent = True
            else:
                source.emit("push-buffer", _buffer(picture, stamped=not stream.live))
            return
        source.emit("end-of-stream")

    source.connect("need-data", push)


def _buffer(picture: Picture, stamped: bool) -> Any:
    buffer = Gst.Buffer.new_wrapped(picture.data)
    if stamped:
        buffer.pts, buffer.dts = picture.pts_ns, picture.dts_ns
    if not picture.key:
        buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
    return buffer


def main(arguments: list[str] | None = None) -> None:
    """Serves the clips named on the command line until the process ends."""
    parser = argparse.ArgumentParser(description="Serve clips as RTSP cameras, looped.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--cache", type=Path, default=Path(".cache/clips"))
    parser.add_argument("clips", nargs="+", metavar="NAME=CLIP")
    options = parser.parse_args(arguments)
    server = RtspServer(options.port, options.address)
    for clip in options.clips:
        name, _, path = clip.partition("=")
        server.mount(name, looped(read_clip(prepare_clip(Path(path), options.cache))))
        sys.stdout.write(f"{server.url(name)}\n")
    server.start()
    sys.stdout.write(f"ready on port {server.port}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
