"""PyNvVideoCodec without a GPU: its names and rules, and libav's decoders behind them.

Rules of the real one that code may forget: frames are there only after ``SyncOnCUStream``, and the
next call overwrites them; the data of a packet are read during the call and not later.
Names and arguments are those that the wheel of 2.2.4 tells, loaded without a driver.
"""

from __future__ import annotations

import ctypes
from enum import Enum
from typing import Any

import gi
import numpy as np

gi.require_version("Gst", "1.0")
from gi.repository import Gst
from numpy.typing import NDArray

from plugins.bindings import structure_of
from tests.support.simulated_cuda import SimulatedCuda
from tests.support.simulated_driver import CONTEXT

Gst.init(None)
_BEHIND = {"H264": ("h264parse", "avdec_h264"), "HEVC": ("h265parse", "avdec_h265")}
_SINK = "video/x-raw,format={NV12,P010_10LE} ! appsink name=out sync=false"
_FORMATS = {"NV12": "NV12", "P010_10LE": "P016"}
_Event = Gst.Event


class PyNvVCException(Exception):  # noqa: N818  # its name there
    """What the library raises."""


class PacketData:
    """An access unit."""

    def __init__(self) -> None:
        self.bsl, self.bsl_data, self.pts, self.decode_flag = 0, 0, 0, None


class SimulatedNvdec:
    """The module.

    Attributes:
        refuse: what making a decoder raises; None where one is made.
        fail_at: the access units, counted over all sessions, at which decoding raises.
        opened: how many sessions there were.
        alive: how many there are.
    """

    PacketData = PacketData
    PyNvVCException = PyNvVCException
    VideoPacketFlag = Enum(
        "VideoPacketFlag", "DISCONTINUITY ENDOFPICTURE ENDOFSTREAM NOTIFY_EOS TIMESTAMP"
    )
    DisplayDecodeLatencyType = Enum("DisplayDecodeLatencyType", "NATIVE LOW ZERO")
    cudaVideoCodec = Enum("cudaVideoCodec", "H264 HEVC AV1")  # noqa: N815
    Pixel_Format = Enum("Pixel_Format", "NV12 P016 YUV444 NV16")

    def __init__(self, gpu: SimulatedCuda) -> None:
        self.gpu = gpu
        self.refuse: Exception | None = None
        self.fail_at: set[int] = set()
        self.brightens = 0  # by which luma is wrong
        self.opened = self.alive = self.units = 0

    def CreateDecoder(  # noqa: N802
        self,
        *,
        gpuid: int,
        codec: Any,
        cudacontext: int,
        cudastream: int,
        usedevicememory: bool,
        latency: Any,
    ) -> Decoder:
        assert (gpuid, cudacontext, cudastream, usedevicememory) == (0, CONTEXT, 0, True)
        assert latency is self.DisplayDecodeLatencyType.LOW
        if self.refuse is not None:
            raise self.refuse
        return Decoder(self, codec.name)


class Frame:
    """A decoded frame, in memory that is its decoder's."""

    def __init__(self, form: Any, address: int, size: tuple[int, int], pts: int) -> None:
        self.format, self.timestamp = form, pts
        self._address, self._size = address, size

    @property
    def _pitch(self) -> int:
        return self._size[0] * (1 if self.format.name == "NV12" else 2)

    def framesize(self) -> int:
        return self._pitch * (self._size[1] + self._size[1] // 2)

    def GetPtrToPlane(self, plane: int) -> int:  # noqa: N802
        return self._address + plane * self._pitch * self._size[1]


class Decoder:
    """A session; libav's decoder works in the thread that calls."""

    def __init__(self, api: SimulatedNvdec, codec: str) -> None:
        self._api = api
        parser, decoder = _BEHIND[codec]
        line = f"{parser} name=in ! {decoder} max-threads=1 ! videoconvert ! {_SINK}"
        self._pipeline = Gst.parse_launch(line)
        self._sink = self._pipeline.get_by_name("out")
        self._pipeline.set_state(Gst.State.PLAYING)
        self._pad = self._pipeline.get_by_name("in").get_static_pad("sink")
        media = "video/x-h264" if codec == "H264" else "video/x-h265"
        caps = Gst.Caps.from_string(f"{media},stream-format=byte-stream,alignment=au")
        segment = Gst.Segment()
        segment.init(Gst.Format.TIME)
        for event in (
            _Event.new_stream_start("simulated"),
            _Event.new_caps(caps),
            _Event.new_segment(segment),
        ):
            assert self._pad.send_event(event)
        self._rooms: list[int] = []
        self._queued: list[tuple[int, NDArray[np.uint8]]] = []
        self._size = (0, 0)
        api.opened += 1
        api.alive += 1

    def __del__(self) -> None:
        self._pipeline.set_state(Gst.State.NULL)
        for address in self._rooms:
            self._api.gpu.cudaFree(address)
        self._api.alive -= 1

    def GetWidth(self) -> int:  # noqa: N802
        return self._size[0]

    def GetHeight(self) -> int:  # noqa: N802
        return self._size[1]

    def Decode(self, packet: PacketData) -> list[Frame]:  # noqa: N802
        flags = self._api.VideoPacketFlag
        for address in self._rooms:
            self._api.gpu.cudaFree(address)  # stricter than the real one, which writes there
        self._rooms.clear()
        flag: Any = packet.decode_flag
        if flag is flags.ENDOFSTREAM:
            self._pad.send_event(_Event.new_eos())
        else:
            assert flag is flags.ENDOFPICTURE
            self._api.units += 1
            if self._api.units in self._api.fail_at:
                raise PyNvVCException("HandlePictureDecode : cuvidDecodePicture\nsome advice")
            buffer = Gst.Buffer.new_wrapped(ctypes.string_at(packet.bsl_data, packet.bsl))
            buffer.pts = packet.pts
            assert self._pad.chain(buffer) == Gst.FlowReturn.OK
        frames = []
        while (sample := self._sink.emit("try-pull-sample", 0)) is not None:
            frames.append(self._frame(sample))
        return frames

    def SyncOnCUStream(self) -> None:  # noqa: N802
        for address, samples in self._queued:
            self._api.gpu.memory(address, len(samples))[:] = samples
        self._queued.clear()

    def _frame(self, sample: Any) -> Frame:
        shape, buffer = structure_of(sample.get_caps()), sample.get_buffer()
        self._size = shape.get_value("width"), shape.get_value("height")
        name = _FORMATS[shape.get_value("format")]
        with buffer.map(Gst.MapFlags.READ) as mapped:
            samples = np.frombuffer(mapped.data, np.uint8).copy()
        if self._api.brightens:
            luma = samples[: self._size[0] * self._size[1]]
            luma += np.uint8(self._api.brightens)
        _, address = self._api.gpu.cudaMalloc(len(samples))
        self._rooms.append(address)
        self._queued.append((address, samples))
        form = self._api.Pixel_Format[name]
        return Frame(form, address, self._size, int(buffer.pts))
