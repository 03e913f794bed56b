"""NVIDIA's decoder through PyNvVideoCodec: access units in, surfaces of a GPU's memory out."""

from __future__ import annotations

from typing import Any

from engines.cuda.fill import bytes_of
from plugins.device.gpu import Gpu
from plugins.device.pool import Pool
from plugins.device.surface import Surface

CODECS = {"video/x-h264": "H264", "video/x-h265": "HEVC"}
_BYTES = {"NV12": 1, "P016": 2}  # of a sample

Decoded = list[tuple[Surface, int]]  # surfaces in the order to show them, and their times


class NvdecError(RuntimeError):
    """The decoder refuses something; the message says what."""


def api() -> Any:
    """Return the module.

    Raises:
        NvdecError: it is not installed, or finds no driver or GPU; says which.
    """
    try:
        import PyNvVideoCodec
    except ModuleNotFoundError as error:
        raise NvdecError('it is not installed: pip install "mirante[nvdec]"') from error
    except Exception as error:  # it raises several kinds, with pages of advice
        raise NvdecError(f"it does not start: {_first_line(error)}") from error
    return PyNvVideoCodec


class NvDecoder:
    """One session of the hardware decoder, on one thread.

    What it gives is copied, on the GPU: its own surfaces are overwritten by its next frames.

    Args:
        api: PyNvVideoCodec, or what behaves like it.
        gpu: where it decodes, and where surfaces lie.
        media: one of ``CODECS``.
        bits: of a sample of the stream.

    Raises:
        NvdecError: the GPU cannot decode that, or has no session left.
        CudaError: the GPU has no stream left.
    """

    def __init__(self, api: Any, gpu: Gpu, media: str, bits: int = 8) -> None:
        self._api, self._bits = api, bits
        try:
            self._decoder = api.CreateDecoder(
                gpuid=gpu.cuda.index,
                codec=getattr(api.cudaVideoCodec, CODECS[media]),
                cudacontext=gpu.context,
                cudastream=0,
                usedevicememory=True,
                latency=api.DisplayDecodeLatencyType.LOW,  # none but what the order to show needs
            )
        except Exception as error:
            raise NvdecError(f"no session of the decoder: {_first_line(error)}") from error
        self._pool = Pool(gpu.cuda)

    def decode(self, address: int, size: int, pts: int) -> Decoded:
        """Decode one access unit, with its parameter sets where it needs new ones.

        Args:
            address: in host memory, of an Annex B byte stream that holds one picture.
            size: in bytes.
            pts: time of the picture, any number.

        Returns:
            What can be shown by now, maybe nothing; each surface is to be given back.

        Raises:
            NvdecError: the stream cannot be decoded.
            RuntimeError: the GPU fails, or too many surfaces are held.
        """
        packet = self._api.PacketData()
        packet.bsl_data, packet.bsl, packet.pts = address, size, pts
        packet.decode_flag = self._api.VideoPacketFlag.ENDOFPICTURE  # it need not wait for the next
        return self._feed(packet)

    def drain(self) -> Decoded:
        """Return the pictures that are left, as no access unit follows; errors as of ``decode``."""
        packet = self._api.PacketData()
        packet.decode_flag = self._api.VideoPacketFlag.ENDOFSTREAM
        return self._feed(packet)

    def close(self) -> None:
        """End the session; surfaces that are held stay valid until they are given back."""
        self._decoder = None
        self._pool.close()

    def _feed(self, packet: Any) -> Decoded:
        try:
            frames = self._decoder.Decode(packet)
            if frames:
                self._decoder.SyncOnCUStream()  # copies out of the decoder may be under way
        except Exception as error:
            raise NvdecError(f"the decoder fails: {_first_line(error)}") from error
        made: Decoded = []
        try:
            for frame in frames:
                made.append((self._kept(frame), int(frame.timestamp)))
        except BaseException:
            for surface, _ in made:
                surface.give_back()
            raise
        return made

    def _kept(self, frame: Any) -> Surface:
        """Return a copy of a frame, which lies without padding: luma, then U and V in turns."""
        name = frame.format.name
        if _BYTES.get(name) != bytes_of(self._bits):
            expected = next(each for each, n in _BYTES.items() if n == bytes_of(self._bits))
            raise NvdecError(f"frames of {name}: expected {expected}, as of {self._bits} bits")
        width, height = int(self._decoder.GetWidth()), int(self._decoder.GetHeight())
        pitch = width * _BYTES[name]
        size = pitch * (height + -(-height // 2))
        if int(frame.framesize()) != size:
            raise NvdecError(
                f"a frame of {frame.framesize()} bytes: expected {size} for {name} "
                f"of {width}x{height}"
            )
        luma, chroma = (int(frame.GetPtrToPlane(plane)) for plane in range(2))
        if chroma - luma != pitch * height:
            raise NvdecError(f"chroma {chroma - luma} bytes behind luma: expected {pitch * height}")
        return self._pool.copy(Surface((width, height), luma, chroma, pitch, self._bits))


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
