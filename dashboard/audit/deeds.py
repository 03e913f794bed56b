"""Requests in words: what is done to which camera, user or model, and nothing that is secret."""

from __future__ import annotations

import json
import re
from typing import Any

from mirante.keys import CAMERA_NAME
from pipeline.control.audit import told_keys

MOST_BODY_BYTES = 64 << 10  # of which is read what is done; what is larger is logged without
LOGIN = ("POST", "/api/v1/session")
_CAMERA = r"/api/v1/cameras/(?P<camera>[^/]+)"
_ACTIONS = (
    ("POST", r"/api/v1/cameras", "add camera"),
    ("POST", r"/api/v1/cameras/test", "test camera"),
    ("PATCH", _CAMERA, "change camera"),
    ("PUT", _CAMERA, "replace camera"),
    ("DELETE", _CAMERA, "remove camera"),
    ("PUT", f"{_CAMERA}/zones", "change zones"),
    ("POST", f"{_CAMERA}/zones/preview", "preview zones"),
    ("POST", f"{_CAMERA}/pause", "pause camera"),
    ("POST", f"{_CAMERA}/resume", "resume camera"),
    ("POST", f"{_CAMERA}/wake", "wake camera"),
    ("POST", f"{_CAMERA}/clips", "make clip"),
    ("DELETE", f"{_CAMERA}/clips/[^/]+", "delete clip"),
    ("POST", r"/api/v1/stream/add", "add camera"),
    ("POST", r"/api/v1/stream/remove", "remove camera"),
    ("POST", r"/api/v1/discovery", "search for cameras"),
    ("POST", r"/api/v1/models/swap", "swap model"),
    ("POST", r"/api/v1/bridges/test", "test bridge"),
    (*LOGIN, "log in"),
    ("DELETE", LOGIN[1], "log out"),
    ("GET", r"/api/v1/audit", "read the audit log"),
    ("GET", r"/api/v1/live", "watch live"),
    ("GET", rf"(?:{_CAMERA}|/api/v1/results/(?P<results>[^/]+))(?:/.*)?", "view camera"),
)
_WORD = re.compile(r"[\w.@/+-]{1,128}")


def deed_of(method: str, path: str, body: bytes) -> dict[str, str]:
    """Return the action of a request, and what it is done to, as keys of an ``Entry``.

    Args:
        method: of HTTP; GET for a WebSocket.
        path: without percent escapes.
        body: as it was sent, perhaps not all of it, or not JSON.
    """
    for known, pattern, action in _ACTIONS:
        if method in {known, "HEAD" if known == "GET" else known} and (
            found := re.fullmatch(pattern, path)
        ):
            named = next((value for value in found.groupdict().values() if value), "")
            return {"action": action} | _about(path, named, _read(body))
    return {"action": f"{method[:16]} a path", "detail": _printable(path)}


def _about(path: str, camera: str, keys: dict[str, Any]) -> dict[str, str]:
    if path.startswith("/api/v1/models"):
        to = keys.get("to", "")
        back = "to what ran before" if to is None else f"to {_word(to)}"
        return _there(model=_word(keys.get("model")), worker=_word(keys.get("worker")), detail=back)
    if path.startswith("/api/v1/session"):
        return _there(user=_word(keys.get("user")))
    if path.startswith("/api/v1/bridges"):
        return _there(detail=_word(keys.get("bridge")))
    if path.startswith("/api/v1/stream/"):
        said = keys.get("value", keys.get("event"))
        keys = _camera_keys(said) if isinstance(said, dict) else {}
    elif not path.startswith(("/api/v1/cameras", "/api/v1/results")):
        return {}
    name = camera or keys.get("name")
    named = name if isinstance(name, str) and re.fullmatch(CAMERA_NAME, name) else ""
    return _there(camera=named, worker=_word(keys.get("worker")), detail=told_keys(keys))


def _camera_keys(said: dict[str, Any]) -> dict[str, Any]:
    """Return what DeepStream's clients say of a camera, by our names."""
    ours = {"name": "camera_id", "url": "camera_url"}
    return {name: said[key] for name, key in ours.items() if said.get(key)}


def _there(**values: str) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}


def _read(body: bytes) -> dict[str, Any]:
    if len(body) > MOST_BODY_BYTES:
        return {}
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _word(text: object) -> str:
    return text if isinstance(text, str) and _WORD.fullmatch(text) else ""


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:200]
