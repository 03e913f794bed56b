"""What a camera answers to souphttpsrc: its status, its type, and its first bytes."""

from __future__ import annotations

import time
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.cameras.answers import date_off_s, fault_of
from pipeline.cameras.content import BEGIN_BYTES, Content, content_of, fault_of_content
from pipeline.cameras.sources.base import Contents
from pipeline.cameras.state import Fault
from pipeline.config.camera_url import CameraUrl
from plugins.bindings import structure_of

_AT_ONCE_S = 1.0  # an image without a length that has come within is not one of a stream
_ENDLESS = (b"G", b"FLV")  # MPEG-TS and FLV begin so
_OK, _DROP = Gst.PadProbeReturn.OK, Gst.PadProbeReturn.DROP


def set_login(source: Any, authorization: str) -> None:
    """Let a souphttpsrc send a field ``Authorization`` with its requests."""
    fields = Gst.Structure.new_empty("extra-headers")
    fields.set_value("Authorization", authorization)
    source.set_property("extra-headers", fields)


class HttpAnswers:
    """What the camera of one souphttpsrc answers.

    Args:
        source: the element.
        url: the camera's address.
        contents: what its answer may hold; None for anything.

    Attributes:
        fault: why it gives no video, as far as its answer says.
        date_off_s: how far its clock is ahead of this machine's, by its answer's Date.
        is_final: nothing else will come.
    """

    def __init__(self, source: Any, url: CameraUrl, contents: Contents | None) -> None:
        self.fault: Fault | None = None
        self.date_off_s: float | None = None
        self.is_final = False
        self._url, self._contents = url, contents
        self._fields: dict[str, str] = {}
        self._begin = b""
        self._began_s = 0.0
        self._content: tuple[Content, str] | None = None
        pad = source.get_static_pad("src")
        pad.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, self._on_event)
        if contents is not None:
            pad.add_probe(Gst.PadProbeType.BUFFER, self._on_data)

    @property
    def is_endless(self) -> bool:
        """True for a container that needs no end, of which no length was told."""
        return "content-length" not in self._fields and self._begin.startswith(_ENDLESS)

    def failed(self, message: Any) -> None:
        """Note the status that an error tells, or what has come before it."""
        said = structure_of(message)  # what is read from it lasts no longer
        details = said.get_value("details") if said.has_field("details") else None
        if details is not None and details.has_field("http-status-code"):
            status = details.get_value("http-status-code")
            if status >= 300:
                self.fault, self.is_final = fault_of(self._url, status), True
        if self._begin and self._content is None:
            self._judge(is_whole=False)

    def _on_event(self, _pad: Any, info: Any) -> Any:
        event = info.get_event()
        detail = structure_of(event)
        if detail is not None and detail.has_name("http-headers"):
            self._fields = _fields(detail.get_value("response-headers"))
            self.date_off_s = date_off_s(self._fields.get("date", ""))
            self._begin, self._content = b"", None
        elif event.type == Gst.EventType.EOS and self._fields:
            self._judge(is_whole=time.monotonic() - self._began_s < _AT_ONCE_S)
        return _OK

    def _on_data(self, _pad: Any, info: Any) -> Any:
        if self._content is None:
            self._began_s = self._began_s or time.monotonic()
            buffer = info.get_buffer()
            self._begin += buffer.extract_dup(0, min(buffer.get_size(), BEGIN_BYTES))
            length = self._fields.get("content-length", "")
            if len(self._begin) >= min(
                BEGIN_BYTES, int(length) if length.isdigit() else BEGIN_BYTES
            ):
                self._judge(is_whole=bool(length))
        return _DROP if self.is_final else _OK

    def _judge(self, is_whole: bool) -> None:
        """Tell what comes; an image is one of a stream unless it is the whole answer."""
        contents = self._contents
        if contents is None or self.fault is not None:
            return
        content, name = self._content = content_of(
            self._fields.get("content-type", ""), self._begin
        )
        if content == "unknown" or content in contents.wanted:
            return
        if content == "image" and "images" in contents.wanted and not is_whole:
            return
        self.fault = fault_of_content(content, name, contents.name)
        self.is_final = True


def _fields(headers: Any) -> dict[str, str]:
    names = [headers.nth_field_name(n) for n in range(headers.n_fields())]
    return {name.lower(): str(headers.get_value(name)) for name in names}
