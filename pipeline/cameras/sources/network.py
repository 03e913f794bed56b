"""The common part of sources on the network."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mirante.faults import FaultCode
from pipeline.cameras.content import BEGIN_BYTES, content_of, fault_of_content
from pipeline.cameras.image_size import check_size
from pipeline.cameras.sources.base import Contents, Meaning, words_alone
from pipeline.cameras.state import Fault
from pipeline.cameras.targets import is_forbidden
from pipeline.cameras.web import Answer, FetchError
from pipeline.config.camera_url import CameraUrl, redact
from pipeline.config.launch import quoted
from pipeline.config.source_kinds import Endpoint


def http_schemes(prefix: str) -> dict[str, Endpoint]:
    """Return the schemes of a kind over HTTP, whose own begin with a prefix such as ``hls+``."""
    return {
        f"{prefix}http": Endpoint(80, speaks="HTTP"),
        f"{prefix}https": Endpoint(443, "tls", speaks="HTTP"),
    }


def expected_blocks(answer: Answer, contents: Contents) -> Iterator[bytes]:
    """Yield the body of an answer in blocks, once they have begun as they should.

    Raises:
        FetchError: it broke off, or holds something else.
    """
    length = answer.headers.get("content-length", "")
    needed = min(BEGIN_BYTES, int(length)) if length.isdigit() else BEGIN_BYTES
    begin, is_judged = b"", False
    for block in answer.blocks():
        if is_judged:
            yield block
            continue
        begin += block
        if len(begin) >= needed:
            is_judged = True
            _judge(answer, begin, contents)
            yield begin
    if not is_judged:
        _judge(answer, begin, contents)
        yield begin


def _judge(answer: Answer, begin: bytes, contents: Contents) -> None:
    kind = answer.headers.get("content-type", "")
    content, name = content_of(kind, begin[:BEGIN_BYTES])
    if content != "unknown" and content not in contents.wanted:
        raise FetchError(fault_of_content(content, name, contents.name))


def bounded(image: bytes) -> bytes:
    """Return an image that there is room to decode.

    Raises:
        FetchError: it has too many pixels.
    """
    try:
        check_size(image)
    except ValueError as error:
        raise FetchError(Fault(FaultCode.OTHER_CONTENT, str(error))) from None
    return image


def http_source(url: CameraUrl, answer_s: float) -> str:
    """Return the launch text of an element that fetches an address, all but its query."""
    location = quoted(url.location.partition("?")[0])
    follows = str(not is_forbidden()).lower()  # a redirect may lead to this machine
    return (
        f"souphttpsrc name=source location={location} timeout={math.ceil(answer_s)} "
        f"automatic-redirect={follows}"
    )


def secrets_of(url: CameraUrl) -> dict[str, str]:
    """Many cameras take user and password in the query, so that is withheld from the text too."""
    secrets = {"user-id": url.username or "", "user-pw": url.password or ""}
    if url.query:
        secrets["location"] = url.location
    return {name: value for name, value in secrets.items() if value}


def explain(url: CameraUrl, meaning: Meaning, words: str) -> Fault | None:
    """GStreamer cannot tell why a camera is not reached; the network can."""
    if meaning == "missing":
        words = f'404 not found: the camera has no path "{redact(url.path)}"'
        return Fault(FaultCode.NOT_FOUND, words)
    if meaning in {"open", "read"}:
        return None
    return words_alone(url, meaning, words)
