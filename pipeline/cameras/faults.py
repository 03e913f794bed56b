"""GStreamer's errors in words that say what to do."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from pipeline.cameras.state import Fault
from pipeline.config.camera_url import NETWORK, SECRET_PARAMETER, CameraUrl, redact

# GStreamer's error codes that tell something: GstResourceError, GstStreamError, GstCoreError.
_KINDS = {
    "gst-resource-error-quark": {
        1: "read",
        3: "missing",
        4: "busy",
        5: "open",
        6: "open",
        7: "open",
        9: "read",
        10: "read",
        11: "read",
        13: "settings",
        15: "refused",
    },
    "gst-stream-error-quark": {
        3: "not video",
        4: "not video",
        5: "not video",
        6: "no decoder",
        9: "not video",
    },
    "gst-core-error-quark": {12: "no decoder"},
}

# Of any element: data stopped flowing, whatever the reason ("Internal data stream error.").
UNEXPLAINED = ("gst-stream-error-quark", 1)


def hide(text: str, url: CameraUrl) -> str:
    """``text`` without the credentials of ``url``, in whatever form they stand in it."""
    text = redact(text)
    query = url.query if url.scheme in NETWORK else ""
    in_path = [found["value"] for found in SECRET_PARAMETER.finditer(url.path)]
    for secret in (url.password, query, *(in_path if url.scheme in NETWORK else ())):
        for form in {secret or "", quote(secret or "", safe="")} - {""}:
            text = text.replace(form, "***")
    return text


def explain(url: CameraUrl, domain: str, code: int, text: str) -> Fault | None:
    """What a GStreamer error means, or None when only the network can tell (see ``reach``)."""
    kind = _KINDS.get(domain, {}).get(code, "other")
    words = hide(text, url)
    if kind == "refused":
        return Fault(_refused(url, text), slow=True)
    if kind == "missing":
        return _missing(url)
    if kind in {"no decoder", "not video"}:
        meaning = {"no decoder": "no decoder for this video", "not video": "not a readable video"}
        return Fault(f"{meaning[kind]}: {words}", slow=True)
    if kind in {"open", "read"} and url.scheme in NETWORK:
        return None
    return Fault(_unusable(url, kind, words), slow=kind in {"open", "settings"})


def _refused(url: CameraUrl, text: str) -> str:
    if "403" in text or "orbidden" in text:
        return "403 forbidden: this user may not watch this camera"
    if url.username is None and url.password is None:
        return "401 unauthorised: the camera asks for a user and password"
    return "401 unauthorised: the camera refuses this user or password"


def _unusable(url: CameraUrl, kind: str, words: str) -> str:
    if kind == "busy":
        return f"{url.path} is in use by another program"
    if kind == "open" and url.scheme == "file":
        is_folder = Path(url.path).is_dir()
        return f"{url.path} {'is a directory' if is_folder else 'cannot be opened: no permission'}"
    if kind == "open":
        return f"{url.path} cannot be opened: no permission, or not a camera"
    return words


def _missing(url: CameraUrl) -> Fault:
    if url.scheme in NETWORK:
        return Fault(f'404 not found: the camera has no path "{redact(url.path)}"', slow=True)
    if url.scheme == "v4l2":
        return Fault(f"no device {url.path}: not plugged in?")
    return Fault(f"no such file: {url.path}", slow=True)
