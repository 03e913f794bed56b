"""What decoding costs, and when a smaller stream of the camera would do."""

from __future__ import annotations

MS_PER_MPX = 1.9  # of H.264 decoded and scaled; measured as docs/cameras.md says
LARGE_PX = 2_200_000  # more than 1920x1088
FEW_FPS = 1.0  # key frames alone


def decode_hint(
    size: tuple[int, int], fps: float | None, width: int, height: int, *, has_view: bool = False
) -> str | None:
    """Return what a stream costs that is far larger than its analysis; None for others.

    Args:
        size: width and height of the source's frames in pixels.
        fps: frames decoded a second; None where that is not known.
        width, height: maximum size of the analysed frame.
        has_view: the camera has a larger stream for the image already.
    """
    area = size[0] * size[1]
    share = min(1.0, width / size[0], height / size[1])
    if area <= LARGE_PX or share > 0.5 or (fps is not None and fps <= FEW_FPS):
        return None
    rate = 25.0 if fps is None else fps
    cost, least = (_share_of_core(pixels, rate) for pixels in (area, area * share * share))
    said = "25 frames a second" if fps is None else f"{rate:.0f} frames a second"
    keep = "" if has_view else ", and this one as view to see it"
    return (
        f"{size[0]}x{size[1]} is decoded to analyse {round(size[0] * share)}x"
        f"{round(size[1] * share)}: about {cost} of a core at {said}; a stream of that size would "
        f"take {least}. Choose a smaller stream of the camera as url{keep}"
    )


def _share_of_core(pixels: float, fps: float) -> str:
    return f"{pixels / 1e6 * MS_PER_MPX * fps / 10:.0f} %"
