"""The address of a camera's ONVIF service, whose events are listened to."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config.camera import Camera
from pipeline.config.camera_url import CameraUrl
from pipeline.config.messages import show

PATH = "/onvif/device_service"  # ONVIF Core Specification, 5.1.1


def onvif_url(camera: Camera) -> CameraUrl | None:
    """Return the address of a camera's device service, with the login; None where it has none.

    Without one of its own it is that of the specification at the camera's host, and without a
    login of its own it has that of the camera's address.
    """
    url, given = camera.url, camera.onvif_url
    if given is None and not url.host:
        return None
    host = f"[{url.host}]" if ":" in url.host else url.host
    found = CameraUrl(given.bare if given else f"http://{host}{PATH}")
    login = given if given is not None and given.username is not None else url
    if login is given or found.host == url.host:
        found.username, found.password = login.username, login.password
    return found


def check_onvif(camera: Camera, path: str) -> Iterator[str]:
    """A line where events of a camera are asked for that cannot be reached over ONVIF."""
    given = camera.onvif_url
    if given is not None and given.scheme not in {"http", "https"}:
        yield f"{path}.onvif_url: {show(str(given))} — expected http://HOST:PORT/PATH, or https://"
    elif camera.onvif is not None and onvif_url(camera) is None:
        yield (
            f"{path}.onvif: a camera without a host — expected null, or onvif_url with the address "
            "of its ONVIF service"
        )
