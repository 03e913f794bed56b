"""NVDEC: how many cameras of 1080p30 it decodes, by each way that is here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from benchmarks.gpu.figures import Figure, mib_of_one_more
from benchmarks.gpu.here import Here
from benchmarks.gpu.job import Job
from benchmarks.gpu.needs import words_of
from benchmarks.gpu.nvdec_rate import decode_units

FPS = 30
CLIPS = {"H.264": "1080p30.h264", "H.265": "1080p30.h265"}
MEDIA = {"H.264": "video/x-h264", "H.265": "video/x-h265"}
SHIPPED = Path(__file__).parent / "clips"
STREAMS = (1, 4, 16, 64)
TURN_S = 3.0
GAIN = 1.05  # where more streams reach less than this of what fewer did, still more are not tried

# Frames a second of streams of a clip: file, codec, streams, seconds, called meanwhile.
Rate = Callable[[Path, str, int, float, Callable[[], None]], float]


def by_gstreamer(
    clip: Path, codec: str, streams: int, seconds: float, meanwhile: Callable[[], None]
) -> float:
    """Return the frames a second of GStreamer's ``nvcodec``, left in the GPU's memory.

    Raises:
        ImportError: GStreamer is missing.
        RuntimeError: it has no such decoder, or it fails.
    """
    try:
        from pipeline.gst.decode_rate import decode_rate
        from pipeline.gst.decoders import hardware_decoders, may_stay
        from plugins.device.decoder import NAME
    except (ImportError, ValueError) as error:  # ValueError: GStreamer's description is missing
        raise ImportError(f"GStreamer is missing ({error})") from error
    media = MEDIA[codec]
    staying = [each.name for each in hardware_decoders("nvidia") if may_stay(each, media)]
    able = [name for name in staying if name != NAME]  # that one is the other way
    if not able:
        raise RuntimeError(f"GStreamer has no decoder of {codec} of NVIDIA's here")
    return decode_rate(clip, media, able[0], streams, seconds, meanwhile)


def by_pynvvideocodec(
    clip: Path, codec: str, streams: int, seconds: float, meanwhile: Callable[[], None]
) -> float:
    """Return the frames a second of NVIDIA's package, each copied within the GPU's memory.

    Raises:
        ImportError: cuda-bindings or NVRTC are missing.
        RuntimeError: the package is missing, or it or the GPU fails.
        ValueError: the clip has no delimiters.
    """
    from plugins.device import nvdec
    from plugins.device.gpu import gpu

    library, here, units = nvdec.api(), gpu(), access_units(clip, codec)
    return decode_units(
        lambda: nvdec.NvDecoder(library, here, MEDIA[codec]), units, streams, seconds, meanwhile
    )


def access_units(clip: Path, codec: str) -> list[bytes]:
    """Return the frames of an Annex B file, each with the delimiter that it begins with.

    Raises:
        ValueError: the file does not begin with one.
    """
    mark = {"H.264": b"\0\0\0\1\x09", "H.265": b"\0\0\0\1\x46\x01"}[codec]
    before, *units = clip.read_bytes().split(mark)
    if before or not units:
        raise ValueError(f"{clip}: expected {codec} with a delimiter before each frame")
    return [mark + unit for unit in units]


WAYS: Mapping[str, Rate] = {
    "GStreamer's nvcodec": by_gstreamer,
    "PyNvVideoCodec": by_pynvvideocodec,
}


def measure(job: Job, here: Here, ways: Mapping[str, Rate] = WAYS) -> Iterator[Figure]:
    """Decode more and more streams at once, each as fast as it goes, in each way."""
    turn_s = min(TURN_S, job.seconds / (2 * len(STREAMS) * len(CLIPS) * len(ways)))
    folder = Path(job.clips) if job.clips else SHIPPED
    for way, rate in ways.items():
        for codec, name in CLIPS.items():
            once = partial(rate, folder / name, codec)
            yield from _figures(f"{codec} 1080p30, {way}", once, turn_s, job.most, here)


def _figures(
    what: str,
    rate: Callable[[int, float, Callable[[], None]], float],
    turn_s: float,
    most: int,
    here: Here,
) -> Iterator[Figure]:
    reached: dict[int, float] = {}
    held: dict[int, int] = {}
    why = ""
    for streams in STREAMS:
        if streams > most:
            break

        def look(streams: int = streams) -> None:
            if (used := here.used_bytes()) is not None:
                held[streams] = used

        before = max(reached.values(), default=0.0)
        try:
            reached[streams] = rate(streams, turn_s, look)
        except (ImportError, ValueError, RuntimeError, OSError) as error:
            why = words_of(error)
            break
        if reached[streams] < GAIN * before:
            break
    yield _streams(what, reached, why)
    if len(held) > 1:
        of_one = f"{what}: GPU memory of a stream"
        yield Figure(what=of_one, value=mib_of_one_more(held), unit="MiB")


def _streams(what: str, reached: Mapping[int, float], why: str) -> Figure:
    """Return as many streams as the frames suffice for."""
    if not reached:
        return Figure(what=what, note=why)
    words = [f"{fps:.0f} frames/s of {streams}" for streams, fps in reached.items()]
    return Figure(
        what=what,
        value=float(max(reached.values()) // FPS),
        unit="streams",
        note="; ".join([*words, why] if why else words),
        more={f"frames_per_s_of_{streams}": fps for streams, fps in reached.items()},
    )
