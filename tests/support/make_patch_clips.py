"""Makes the clips in ``patch_clips/``: the eight patches in many encodings, two frames each.

usage: python -m tests.support.make_patch_clips; it needs ffmpeg with libx264 and libx265
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.patches import picture

FOLDER = Path(__file__).parent / "patch_clips"
_H264 = "-c:v libx264 -preset veryfast -crf 8 -bf 0"
_H265 = "-c:v libx265 -preset ultrafast -crf 8 -x265-params log-level=error:bframes=0"
_BT709 = "-colorspace bt709 -color_primaries bt709 -color_trc bt709"
_BT2020 = "-colorspace bt2020nc -color_primaries bt2020 -color_trc bt2020-10"
_PQ = "-colorspace bt2020nc -color_primaries bt2020 -color_trc smpte2084"


def _to(matrix: str = "bt601", range_: str = "tv") -> str:
    return f"-vf scale=out_color_matrix={matrix}:out_range={range_}"


_FULL = f"-pix_fmt yuvj420p {_to(range_='pc')} -color_range pc"
# file → arguments; "grey": no colours are left
CLIPS = {
    "h264-limited.mp4": f"{_H264} -pix_fmt yuv420p {_to()}",
    "h264-full-601.mp4": f"{_H264} {_FULL} -colorspace smpte170m",
    "h264-full-untagged.mp4": f"{_H264} {_FULL}",
    "h264-full-709.mp4": f"{_H264} -pix_fmt yuvj420p {_to('bt709', 'pc')} -color_range pc {_BT709}",
    "h264-709-small.mp4": f"{_H264} -pix_fmt yuv420p {_to('bt709')} {_BT709}",
    "h264-709-hd.mp4": f"{_H264} -pix_fmt yuv420p {_to('bt709')} {_BT709}",
    "h264-full-709-hd.mkv": f"{_H264} -pix_fmt yuvj420p {_to('bt709', 'pc')} -color_range pc "
    f"{_BT709}",
    "h264-untagged-hd.mp4": f"{_H264} -pix_fmt yuv420p {_to()}",
    "h264-422.mp4": f"{_H264} -pix_fmt yuv422p {_to()}",
    "h264-444.mp4": f"{_H264} -pix_fmt yuv444p {_to()}",
    "h264-10bit.mp4": f"{_H264} -pix_fmt yuv420p10le {_to()}",
    "h264-422-10bit-full.mp4": f"{_H264} -pix_fmt yuv422p10le {_to(range_='pc')} -color_range pc",
    "h264-grey.mp4": f"{_H264} -pix_fmt gray",
    "h265-limited.ts": f"{_H265} -pix_fmt yuv420p {_to()}",
    "h265-full-601.mp4": f"{_H265}:range=full:colormatrix=smpte170m -pix_fmt yuv420p "
    f"{_to(range_='pc')} -color_range pc",
    "h265-main10.mp4": f"{_H265} -pix_fmt yuv420p10le {_to()}",
    "h265-422-10.mp4": f"{_H265} -pix_fmt yuv422p10le {_to()}",
    "h265-444-12.mp4": f"{_H265} -pix_fmt yuv444p12le {_to()}",
    "h265-2020-hd.mp4": f"{_H265} -pix_fmt yuv420p10le {_to('bt2020')} {_BT2020}",
    "h265-2020-pq.mp4": f"{_H265} -pix_fmt yuv420p10le {_to('bt2020')} {_PQ}",
    "mjpeg-420.avi": "-c:v mjpeg -huffman default -q:v 2 -pix_fmt yuvj420p",
    "mjpeg-422.mkv": "-c:v mjpeg -q:v 2 -pix_fmt yuvj422p",
    "mjpeg-444.mov": "-c:v mjpeg -q:v 2 -pix_fmt yuvj444p",
    "vp8.webm": f"-c:v libvpx -deadline realtime -b:v 3M -pix_fmt yuv420p {_to()}",
    "vp9.webm": f"-c:v libvpx-vp9 -crf 8 -b:v 0 -pix_fmt yuv420p {_to()}",
    "vp9-full-709.mp4": f"-c:v libvpx-vp9 -crf 8 -b:v 0 -pix_fmt yuv420p {_to('bt709', 'pc')} "
    f"-color_range pc {_BT709}",
    "vp9-444.webm": f"-c:v libvpx-vp9 -crf 8 -b:v 0 -pix_fmt yuv444p {_to()}",
    "av1.mp4": f"-c:v libaom-av1 -cpu-used 8 -crf 10 -pix_fmt yuv420p {_to()}",
    "av1-full-709.mkv": f"-c:v libaom-av1 -cpu-used 8 -crf 10 -pix_fmt yuv420p "
    f"{_to('bt709', 'pc')} -color_range pc {_BT709}",
    "mpeg4.avi": f"-c:v mpeg4 -q:v 2 -pix_fmt yuv420p {_to()}",
    "mpeg2.ts": f"-c:v mpeg2video -q:v 2 -r 25 -pix_fmt yuv420p {_to()}",
    "prores.mov": f"-c:v prores_ks -pix_fmt yuv422p10le {_to()}",
    "prores-709.mov": f"-c:v prores_ks -profile:v 0 -pix_fmt yuv422p10le {_to('bt709')} {_BT709}",
    "ffv1-grey16.mkv": "-c:v ffv1 -pix_fmt gray16le",
    "ffv1-grey8.mkv": "-c:v ffv1 -pix_fmt gray",
    "ffv1-rgb.mkv": "-c:v ffv1 -pix_fmt bgr0",
    "png-grey16.mov": "-c:v png -pix_fmt gray16be",
    "png.mov": "-c:v png",
    "raw-yuyv.avi": f"-c:v rawvideo -pix_fmt yuyv422 {_to()}",
    "raw-grey8.avi": "-c:v rawvideo -pix_fmt gray",
}
# What GStreamer 1.22 has no format for.
UNNAMED = {
    "h265-grey10.mp4": f"{_H265} -pix_fmt gray10le",
    "ffv1-grey12.mkv": "-c:v ffv1 -pix_fmt gray12le",
}


def size_of(name: str) -> tuple[int, int]:
    """Return the width and height of a clip."""
    return (1280, 720) if "-hd." in name else (64, 16) if "raw" in name else (128, 64)


def main() -> None:
    """Encodes each."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    for name, arguments in (CLIPS | UNNAMED).items():
        width, height = size_of(name)
        source = f"-f rawvideo -pix_fmt rgb24 -video_size {width}x{height} -framerate 10 -i -"
        exact = "-fflags +bitexact -flags:v +bitexact"
        command = f"ffmpeg -y -v error {source} {arguments} {exact} {FOLDER / name}"
        subprocess.run(command.split(), input=picture(width, height).tobytes() * 2, check=True)


if __name__ == "__main__":
    main()
