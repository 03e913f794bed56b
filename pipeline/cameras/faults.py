"""GStreamer's errors in words that say what to do."""

from __future__ import annotations

from urllib.parse import quote

from pipeline.cameras.sources import kind_of
from pipeline.cameras.sources.base import Meaning
from pipeline.cameras.state import Fault
from pipeline.config.camera_url import SECRET_PARAMETER, CameraUrl, redact

# GStreamer's error codes that tell something: GstResourceError, GstStreamError, GstCoreError.
_RESOURCE, _STREAM, _CORE = (f"gst-{kind}-error-quark" for kind in ("resource", "stream", "core"))
_MEANINGS: dict[int, Meaning] = {
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
}
_REFUSED = 15
_NOT_VIDEO = {3, 4, 5, 9}
_NO_DECODER = {(_STREAM, 6), (_CORE, 12)}

# Of any element: data stopped flowing, whatever the reason ("Internal data stream error.").
UNEXPLAINED = (_STREAM, 1)


def hide(text: str, url: CameraUrl) -> str:
    """``text`` without the credentials of ``url``, in whatever form they stand in it."""
    text = redact(text)
    secrets = [url.password]
    if url.is_network:
        in_path = [found["value"] for found in SECRET_PARAMETER.finditer(url.path)]
        secrets += [url.query, *in_path]
    for secret in secrets:
        for form in {secret or "", quote(secret or "", safe="")} - {""}:
            text = text.replace(form, "***")
    return text


def explain(url: CameraUrl, domain: str, code: int, text: str) -> Fault | None:
    """What a GStreamer error means, or None when only the network can tell (see ``reach``)."""
    words = hide(text, url)
    if domain == _RESOURCE and code == _REFUSED:
        return Fault(_refused(url, text), slow=True)
    if (domain, code) in _NO_DECODER:
        return Fault(f"no decoder for this video: {words}", slow=True)
    if domain == _STREAM and code in _NOT_VIDEO:
        return Fault(f"not a readable video: {words}", slow=True)
    meaning = _MEANINGS.get(code, "other") if domain == _RESOURCE else "other"
    return kind_of(url).explain(url, meaning, words)


def _refused(url: CameraUrl, text: str) -> str:
    if "403" in text or "orbidden" in text:
        return "403 forbidden: this user may not watch this camera"
    if url.username is None and url.password is None:
        return "401 unauthorised: the camera asks for a user and password"
    return "401 unauthorised: the camera refuses this user or password"
