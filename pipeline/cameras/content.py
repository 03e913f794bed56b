"""The content of an answer over HTTP, by its type and its first bytes, and the fault it means."""

from __future__ import annotations

import re
from typing import Literal

from mirante.faults import FaultCode
from pipeline.cameras.state import Fault

Content = Literal["images", "image", "playlist", "page", "video", "other", "unknown"]

BEGIN_BYTES = 512  # of an answer are enough to tell what it holds
_SIGNS: tuple[tuple[str, Content, str], ...] = (
    # What the first bytes match, what they begin, and its name where the answer has no type.
    (r"\xff\xd8\xff", "image", "JPEG"),
    (r"\x89PNG\r\n|GIF8|BM.{4}\0{4}|RIFF.{4}WEBP", "image", "PNG, GIF, BMP or WebP"),
    (
        r"(?:\xef\xbb\xbf)?\s*#EXTM3U|\s*\[playlist\]|(?=\s*<)[^\0]{0,300}<(?:MPD|smil)\b",
        "playlist",
        "HLS",
    ),
    (
        r"\s*<(?:!doctype\s+html|html|head|body|script|!--)|\s*<\?xml[^\0]{0,200}<html",
        "page",
        "HTML",
    ),
    (r".{4}(?:ftyp|styp|moov|moof|mdat|free|wide)", "video", "MP4"),
    (r"\x47.{187}\x47", "video", "MPEG-TS"),
    (r"\x1a\x45\xdf\xa3", "video", "Matroska"),
    (r"FLV\x01|RIFF.{4}AVI |OggS|\0\0\x01[\xb3\xba]|\x30\x26\xb2\x75", "video", "video"),
    (r"\0\0\0?\x01[\x09\x27\x67\x40\x42]", "video", "H.264 or H.265"),
    (r"\s*--[^\r\n]+\r?\n", "images", "multipart"),
)
_TYPES: tuple[tuple[str, Content], ...] = (
    (r"multipart/", "images"),
    (r"(?:video|image)/(?:x-)?(?:motion-?jpe?g|mjpe?g)", "images"),
    (r"image/", "image"),
    (r"(?:application|audio)/(?:vnd\.apple\.|x-)?(?:mpegurl|dash\+xml|smil)", "playlist"),
    (r"(?:text/html|application/xhtml)", "page"),
    (r"video/", "video"),
    (r"application/(?:octet-stream|binary|x-binary)|binary/", "unknown"),
)
_NAMED = re.compile(r"[\w.+-]{1,40}/[\w.+-]{1,40}")


def content_of(kind: str, begin: bytes) -> tuple[Content, str]:
    """Return what an answer holds, and its name for people.

    A type that says multipart is believed; else the bytes are, and the type where they say nothing.

    Args:
        kind: the value of its field ``Content-Type``, "" without one.
        begin: its first ``BEGIN_BYTES``, or all of it.
    """
    if not begin:
        return "unknown", "nothing"
    kind = kind.strip()
    named = _NAMED.match(kind)
    said = next((c for pattern, c in _TYPES if re.match(pattern, kind, re.IGNORECASE)), None)
    text = begin.decode("latin-1")
    for pattern, content, name in _SIGNS:
        if said != "images" and re.match(pattern, text, re.IGNORECASE | re.DOTALL):
            return content, named[0] if named and said == content else name
    return said or ("other" if named else "unknown"), named[0] if named else "something"


def fault_of_content(content: Content, name: str, instead_of: str) -> Fault:
    """Return what it means that an answer holds something else than its address is for.

    Args:
        content: what it holds.
        name: its name for people.
        instead_of: what its address is for, as ``MJPEG``.
    """
    code = {
        "image": FaultCode.SNAPSHOT,
        "playlist": FaultCode.PLAYLIST,
        "page": FaultCode.WEB_PAGE,
        "video": FaultCode.RECORDING,
    }.get(content, FaultCode.OTHER_CONTENT)
    return Fault(code, code.words.replace("…", name, 1).replace("…", instead_of))
