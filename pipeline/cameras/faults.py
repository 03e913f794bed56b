"""GStreamer's errors in words that say what to do."""

from __future__ import annotations

from urllib.parse import quote

from mirante.faults import FaultCode
from pipeline.cameras.sources import kind_of
from pipeline.cameras.sources.base import Meaning
from pipeline.cameras.state import Fault
from pipeline.config.camera_url import SECRET_PARAMETER, CameraUrl, redact

# GStreamer's error codes that tell something: GstResourceError, GstStreamError, GstCoreError.
# GstLibraryError is what our own elements post when frame after frame fails.
_RESOURCE, _STREAM, _CORE, _LIBRARY = (
    f"gst-{kind}-error-quark" for kind in ("resource", "stream", "core", "library")
)
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


def undetailed(code: FaultCode) -> Fault:
    """Return a fault whose reason holds no detail."""
    return Fault(code, code.words.partition(" / ")[0])


def explain(
    url: CameraUrl, domain: str, code: int, text: str, is_own: bool = False
) -> Fault | None:
    """Explain a GStreamer error; None if only the network can tell (see ``reach``).

    Args:
        url: the camera's address.
        domain, code: of the error.
        text: its words.
        is_own: an element of ours posted it.
    """
    words = hide(text, url)
    if domain == _RESOURCE and code == _REFUSED:
        return _refused(url, text)
    if (domain, code) in _NO_DECODER:
        return Fault(FaultCode.NO_DECODER, f"no decoder for this video: {words}")
    if domain == _STREAM and code in _NOT_VIDEO:
        return Fault(FaultCode.UNREADABLE, f"not a readable video: {words}")
    if is_own and domain == _LIBRARY:
        return Fault(FaultCode.STAGE_FAILED, words)
    meaning = _MEANINGS.get(code, "other") if domain == _RESOURCE else "other"
    return kind_of(url).explain(url, meaning, words)


def _refused(url: CameraUrl, text: str) -> Fault:
    if "403" in text or "orbidden" in text:
        code = FaultCode.FORBIDDEN
    elif url.username is None and url.password is None:
        code = FaultCode.LOGIN_REQUIRED
    else:
        code = FaultCode.UNAUTHORISED
    return Fault(code, code.words)
