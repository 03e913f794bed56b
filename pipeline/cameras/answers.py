"""The meaning of a camera's answer: a status of RTSP or HTTP, or a stream without video."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from mirante.faults import FaultCode
from pipeline.cameras.state import Fault
from pipeline.config.camera_url import CameraUrl, redact, redact_address

# Phrases that HTTP does not have, or has with another meaning: RFC 2326, section 7.1.1.
_PHRASES = {status.value: status.phrase.lower() for status in HTTPStatus} | {
    451: "parameter not understood",
    453: "not enough bandwidth",
    454: "session not found",
    455: "method not valid in this state",
    456: "header field not valid",
    457: "invalid range",
    459: "aggregate operation not allowed",
    460: "only aggregate operation allowed",
    461: "unsupported transport",
    462: "destination unreachable",
    505: "version not supported",
    551: "option not supported",
}
_CODES = {
    404: FaultCode.STREAM_MISSING,
    405: FaultCode.UNSUPPORTED,
    406: FaultCode.UNSUPPORTED,
    415: FaultCode.UNSUPPORTED,
    429: FaultCode.UNAVAILABLE,
    451: FaultCode.UNSUPPORTED,
    453: FaultCode.CAMERA_FULL,
    454: FaultCode.SESSION_LOST,
    456: FaultCode.UNSUPPORTED,
    461: FaultCode.WRONG_TRANSPORT,
    501: FaultCode.UNSUPPORTED,
    503: FaultCode.UNAVAILABLE,
    505: FaultCode.UNSUPPORTED,
    551: FaultCode.UNSUPPORTED,
}
_MEDIA = re.compile(rb"^m=(\w+)", re.MULTILINE)
_CHALLENGE = re.compile(r"(?:^|,)\s*([A-Za-z][\w-]*)(?:\s+(?=[\w-]+\s*=)|\s*(?=,|$))")
_NONCE = re.compile(r"\bnonce\s*=\s*\"([^\"]*)")
_ALGORITHM = re.compile(r"\balgorithm\s*=\s*\"?([\w-]+)", re.IGNORECASE)


def fault_of(url: CameraUrl, status: int, asked: str = "GET", phrase: str = "") -> Fault:
    """Return what an answer means that is no success.

    Args:
        url: the camera's address.
        status: of the answer, of RTSP (RFC 2326) or HTTP (RFC 9110).
        asked: the method of the request.
        phrase: words that came with a status that has none of its own.
    """
    if status == 401:
        has_login = url.username is not None or url.password is not None
        return _plain(FaultCode.UNAUTHORISED if has_login else FaultCode.LOGIN_REQUIRED)
    if status in {403, 407}:
        return _plain(FaultCode.FORBIDDEN)
    if status in {404, 410} and asked not in {"SETUP", "PLAY"}:
        words = f'404 not found: the camera has no path "{redact(url.path)}"'
        return Fault(FaultCode.NOT_FOUND, words)
    if 300 <= status < 400:
        return redirected("without an end")
    code = _CODES.get(status)
    if code is None:
        code = FaultCode.CAMERA_ERROR if status >= 500 else FaultCode.REJECTED
    _, colon, meaning = code.words.partition(": ")
    said = f"{status} {_phrase(status, phrase)}".strip()
    return Fault(code, f"{said}{colon}{meaning}".replace("…", asked))


def redirected(where: str) -> Fault:
    """Return what it means that an address leads to another that gives nothing."""
    code = FaultCode.REDIRECTED
    return Fault(code, code.words.replace("…", where))


def unanswered_at(location: str) -> str:
    """Return in words that an address to which a camera redirects gives no answer."""
    try:
        parts = urlsplit(location)
        place = parts.netloc.rpartition("@")[2] or redact_address(location)[:60]
    except ValueError:
        place = "an address that is none"
    return f"the camera redirects to {place}, which gives no answer"


def no_transport(*transports: str) -> Fault:
    """Return what it means that a camera takes none of the transports that were offered."""
    code = FaultCode.WRONG_TRANSPORT
    return Fault(code, code.words.replace("…", " or ".join(name.upper() for name in transports)))


def lacks_video(description: bytes) -> Fault | None:
    """Return what an SDP description (RFC 8866) without video means; None for one with video."""
    media = [kind.decode() for kind in _MEDIA.findall(description)]
    if "video" in media:
        return None
    words = "the camera sends no video here"
    if not media:
        return Fault(FaultCode.AUDIO_ONLY, f"{words}: it offers no stream")
    names = dict.fromkeys("metadata" if kind == "application" else kind for kind in media)
    return Fault(FaultCode.AUDIO_ONLY, f"{words}, only {' and '.join(names)}")


def is_plain(challenges: Sequence[str]) -> bool:
    """Return whether challenges of a 401 are of basic logins, or of digest logins by MD5, alone."""
    schemes = {match[1].lower() for text in challenges for match in _CHALLENGE.finditer(text)}
    algorithms = {name.upper() for text in challenges for name in _ALGORITHM.findall(text)}
    return bool(schemes & {"basic", "digest"}) and algorithms <= {"MD5"}


def is_refused(sent: str, challenges: Sequence[str]) -> bool:
    """Return whether a login was refused that would be the same if it was sent again.

    Args:
        sent: the value of the ``Authorization`` field.
        challenges: the values of the ``WWW-Authenticate`` fields of the 401 that came back.
    """
    nonces = {nonce for text in challenges for nonce in _NONCE.findall(text)}
    answered = _NONCE.findall(sent)
    return nonces.issuperset(answered)


def no_login(challenges: Sequence[str]) -> Fault:
    """Return what it means that no challenge of a 401 can be answered.

    Args:
        challenges: the values of its ``WWW-Authenticate`` fields.
    """
    names = []
    for text in challenges[:3]:
        scheme, algorithm = _CHALLENGE.search(text), _ALGORITHM.search(text)
        found = [match[1] for match in (scheme, algorithm) if match]
        names.append(redact(" ".join(found))[:40])
    code = FaultCode.LOGIN_UNSUPPORTED
    return Fault(code, code.words.replace("…", " or ".join(filter(None, names)) or "no known way"))


def _plain(code: FaultCode) -> Fault:
    return Fault(code, code.words)


def _phrase(status: int, phrase: str) -> str:
    return _PHRASES.get(status) or redact(phrase)[:60]


def date_off_s(value: str) -> float | None:
    """Return how many seconds a camera's clock is ahead, as the field ``Date`` of its answer says.

    That names whole seconds, so it is true to one half, and the time that the answer took to come.

    Args:
        value: of the field; anything else than a date is None.
    """
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    aware = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return aware.timestamp() + 0.5 - time.time()
