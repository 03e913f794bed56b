"""The second stream of a camera, which people see: what it is, and what cannot be beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pipeline.config.camera import Camera, Preview
from pipeline.config.camera_url import CameraUrl
from pipeline.config.messages import show

_NOT_COMPARED = {
    *("url", "view", "fps", "height", "stages", "preview", "mask_encoding", "clips"),
    *("onvif", "onvif_url"),
}


def stream_of(url: CameraUrl) -> tuple[object, ...]:
    """Return the stream that an address names, whoever asks for it."""
    if not url.is_network:
        return (url.bare,)
    return url.scheme, url.host, url.port, url.path, url.query


def view_stream_of(camera: Camera) -> Camera | None:
    """Return the camera that its view stream is; None where it has none, or the same stream twice.

    It has the options of the source and of the image, such as ``transport``, so that what they hide
    is hidden here too.
    """
    if camera.view is None or stream_of(camera.view) == stream_of(camera.url):
        return None
    side, fps = camera.preview.width, camera.preview.fps
    update: dict[str, object] = {
        "url": camera.view,
        "view": None,
        "width": side,
        "height": side,
        "fps": fps,
        "pace": "realtime",
        "stages": [],
        "preview": Preview(),
        "clips": None,
        "onvif": None,
    }
    return camera.model_copy(update=update)


def differences(one: Camera, other: Camera) -> list[str]:
    """Return the keys that keep one session from serving two views of the same stream."""
    keys = [
        {"width": "preview.width"}.get(key, key)
        for key in Camera.model_fields
        if key not in _NOT_COMPARED and getattr(one, key) != getattr(other, key)
    ]
    if (one.url.username, one.url.password) != (other.url.username, other.url.password):
        keys.append("user and password")
    return keys


def check_hidden(camera: Camera, path: str) -> Iterator[str]:
    """A line where an image would show what is to be hidden.

    What is to be blurred is found in the frames that are analysed. Those of the view, and those
    that are skipped, are of other moments, so that what moves would be beside its place.

    Args:
        camera: with what it inherits.
        path: its key, such as ``cameras.gate``.
    """
    if camera.view is not None and camera.preview.blur:
        yield no_view(str(camera.view), camera.preview.blur, path)
    for number, stage in enumerate(camera.stages or ()):
        if stage.most_tracked and camera.preview.blur:
            skip = stage.model_dump()["skip"]
            yield (
                f"{path}.stages[{number}].skip: {show(skip)} — expected 0 where "
                f"preview.blur names classes ({', '.join(camera.preview.blur)}): what is to be "
                "hidden is looked for in each frame"
            )


def no_view(view: str, blur: Sequence[str], path: str) -> str:
    """Return why a camera at a path cannot have a view beside classes to blur."""
    return (
        f"{path}.view: {show(view)} — expected none where preview.blur names classes "
        f"({', '.join(blur)}): nothing is found, and so nothing is blurred, in this stream"
    )


def check_sessions(cameras: Mapping[str, Camera], path: str) -> Iterator[str]:
    """A line for each view that another camera shows with other options: a stream has one session.

    Args:
        cameras: of one worker, by name, with what they inherit.
        path: key of the mapping, such as ``cameras``.
    """
    first: dict[tuple[object, ...], tuple[str, Camera]] = {}
    for name, camera in cameras.items():
        view = view_stream_of(camera)
        if view is None:
            continue
        other, before = first.setdefault(stream_of(view.url), (name, view))
        if keys := differences(before, view):
            yield (
                f"{path}.{name}.view: {show(str(view.url))} — expected the same {', '.join(keys)} "
                f'as camera "{other}", which shows the same stream: one session serves both'
            )
