"""The table of source kinds, and what each says of its addresses."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol

from mirante.nearest import nearest

# A new kind is a row here and the file that it names; they are shown in this order.
SOURCES = {
    "rtsp": "pipeline.cameras.sources.rtsp:RTSP",
    "http": "pipeline.cameras.sources.http:HTTP",
    "snapshot": "pipeline.cameras.sources.snapshot:SNAPSHOT",
    "hls": "pipeline.cameras.sources.hls:HLS",
    "recording": "pipeline.cameras.sources.recording:RECORDING",
    "http_stream": "pipeline.cameras.sources.http_stream:HTTP_STREAM",
    "rtmp": "pipeline.cameras.sources.rtmp:RTMP",
    "srt": "pipeline.cameras.sources.srt:SRT",
    "udp": "pipeline.cameras.sources.udp:UDP",
    "sdp": "pipeline.cameras.sources.sdp:SDP",
    "file": "pipeline.cameras.sources.file:FILE",
    "images": "pipeline.cameras.sources.images:IMAGES",
    "v4l2": "pipeline.cameras.sources.v4l2:V4L2",
    "synthetic": "pipeline.cameras.sources.synthetic:SYNTHETIC",
}

# A login without the scheme that should stand before it.
_NETWORK = re.compile(r"[^:]*:.*@", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The endpoint at which a scheme is reached on the network.

    Attributes:
        port: the one that an address need not name; None where it must name one.
        protocol: over which it is reached.
        transports: how media may travel, where a camera's option ``transport`` chooses.
        needs_host: an address names one; without it the worker waits for a sender itself.
        has_login: user and password may stand in front of the host.
        speaks: the protocol of text that answers there; "" where nothing is to be asked.
    """

    port: int | None
    protocol: Literal["tcp", "tls", "udp"] = "tcp"
    transports: tuple[Literal["tcp", "udp"], ...] = ()
    needs_host: bool = True
    has_login: bool = True
    speaks: Literal["", "RTSP", "HTTP"] = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table of sources in ``docs/cameras.md``."""

    address: str
    meaning: str
    notes: str


class Address(Protocol):
    """The parts of an address that a kind may check, as ``CameraUrl`` has them."""

    @property
    def scheme(self) -> str:
        """One of the kind's."""

    @property
    def host(self) -> str:
        """Empty where it names none."""

    @property
    def path(self) -> str:
        """Without percent escapes."""

    @property
    def query(self) -> str:
        """With percent escapes."""


@dataclass(frozen=True, kw_only=True)
class AddressKind:
    """The addresses of a kind of source.

    Attributes:
        schemes: its schemes; with None instead of an endpoint they are of this machine.
        form: how an address is written, in help.
        title: its name in the form.
        start: what the form begins an address with.
        example: a whole address.
        hint: what it is, below the form's field.
        rows: its part of ``docs/cameras.md``.
        plain: a path that begins so is of this kind without a scheme; "" is any other path.
        path_of: the path that a word alone stands for, None for any other word.
        needs_path: an address without a path means nothing.
        endings: a path that ends so is of this kind without its own prefix: ``http://h/x.mp4`` is
            ``file+http://h/x.mp4``.
        has_query: what stands behind ``?`` and ``#`` is no part of the path.
        has_fragment: the query ends before ``#``.
        check_query: raises ValueError on a query that means nothing.
        check: raises ValueError on an address that means nothing as a whole.
        models: those made for what it shows, suggested for it.
        reads_files: its addresses name files of the worker's machine.
    """

    schemes: Mapping[str, Endpoint | None]
    form: str
    title: str
    start: str
    example: str
    hint: str
    rows: tuple[Row, ...]
    plain: str | None = None
    path_of: Callable[[str], str | None] = lambda _word: None
    endings: tuple[str, ...] = ()
    needs_path: bool = False
    has_query: bool = True
    has_fragment: bool = True
    check_query: Callable[[str], object] = str
    check: Callable[[Address], object] = lambda _url: None
    models: tuple[str, ...] = ()
    reads_files: bool = False

    @property
    def is_network(self) -> bool:
        """True if its addresses name a host."""
        return all(self.schemes.values())

    def claims(self, scheme: str, path: str) -> bool:
        """Return whether an address of another kind's scheme is of this kind, by its path's end."""
        has_prefix = any(own.endswith(f"+{scheme}") for own in self.schemes)
        return has_prefix and path.lower().endswith(self.endings)


def kinds() -> Iterator[AddressKind]:
    """Every kind, in the table's order."""
    return map(_load, SOURCES.values())


def schemes() -> list[str]:
    """Every scheme that an address may have."""
    return [scheme for kind in kinds() for scheme in kind.schemes]


def kind_of(scheme: str, path: str = "") -> AddressKind:
    """Return the kind of a scheme, or the one that claims the path's ending.

    Raises:
        ValueError: no kind has the scheme.
    """
    for kind in kinds():
        if kind.claims(scheme, path):
            return kind
    for kind in kinds():
        if scheme in kind.schemes:
            return kind
    raise ValueError(f'unknown scheme "{scheme}"; {nearest(scheme, schemes())}')


def is_network(scheme: str) -> bool:
    """Return whether addresses of a scheme name a host; False for an unknown one."""
    return scheme in schemes() and kind_of(scheme).is_network


def with_scheme(text: str) -> str:
    """Return an address with the scheme that a word or a plain path stands for.

    Raises:
        ValueError: it looks like an address on the network, and would be shown whole as a path.
    """
    local = [kind for kind in kinds() if not kind.is_network]
    start = text.lower().partition(":")[0] if ":" in text else ""
    if "://" in text or any(start in kind.schemes for kind in local):
        return text
    if _NETWORK.match(text) or start in schemes():
        raise ValueError("expected scheme://user:password@host:port/path, or file:PATH of a file")
    for kind in local:
        if (path := kind.path_of(text)) is not None:
            return f"{next(iter(kind.schemes))}:{path}"
    plain = [k for k in local if k.plain is not None and text.startswith(k.plain)]
    closest = max(plain, key=lambda kind: len(str(kind.plain)))
    return f"{next(iter(closest.schemes))}:{text.replace('%', '%25')}"


def forms() -> str:
    """Return how addresses are written: ``rtsp[s]://, file:PATH or test://``."""
    *others, last = (kind.form for kind in kinds())
    return f"{', '.join(others)} or {last}"


@cache
def _load(target: str) -> AddressKind:
    kind = pkgutil.resolve_name(target)
    if not isinstance(kind, AddressKind):
        raise TypeError(f"{target}: expected an AddressKind, got {type(kind).__name__}")
    return kind
