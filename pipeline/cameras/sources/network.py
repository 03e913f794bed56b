"""The common part of sources on the network."""

from __future__ import annotations

from mirante.faults import FaultCode
from pipeline.cameras.sources.base import Meaning, words_alone
from pipeline.cameras.state import Fault
from pipeline.config.camera_url import CameraUrl, redact


def secrets_of(url: CameraUrl) -> dict[str, str]:
    """Many cameras take user and password in the query, so that is withheld from the text too."""
    secrets = {"user-id": url.username or "", "user-pw": url.password or ""}
    if url.query:
        secrets["location"] = url.bare
    return {name: value for name, value in secrets.items() if value}


def explain(url: CameraUrl, meaning: Meaning, words: str) -> Fault | None:
    """GStreamer cannot tell why a camera is not reached; the network can."""
    if meaning == "missing":
        words = f'404 not found: the camera has no path "{redact(url.path)}"'
        return Fault(FaultCode.NOT_FOUND, words)
    if meaning in {"open", "read"}:
        return None
    return words_alone(url, meaning, words)
