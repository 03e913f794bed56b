"""The table of source kinds, and what each says of its addresses."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

# A new kind is a row here and the file that it names; they are shown in this order.
SOURCES = {
    "rtsp": "pipeline.cameras.sources.rtsp:RTSP",
    "http": "pipeline.cameras.sources.http:HTTP",
    "file": "pipeline.cameras.sources.file:FILE",
    "v4l2": "pipeline.cameras.sources.v4l2:V4L2",
    "synthetic": "pipeline.cameras.sources.synthetic:SYNTHETIC",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The endpoint at which a scheme is reached on the network.

    Attributes:
        port: the one that an address need not name; None where it must name one.
        protocol: over which it is reached.
        transports: how media may travel, where a camera's option ``transport`` chooses.
    """

    port: int | None
    protocol: Literal["tcp", "tls", "udp"] = "tcp"
    transports: tuple[Literal["tcp", "udp"], ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table of sources in ``docs/cameras.md``."""

    address: str
    meaning: str
    notes: str


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
        needs_path: an address without a path means nothing.
        has_query: what stands behind ``?`` and ``#`` is no part of the path.
        check_query: raises ValueError on a query that means nothing.
        models: those made for what it shows, suggested for it.
    """

    schemes: Mapping[str, Endpoint | None]
    form: str
    title: str
    start: str
    example: str
    hint: str
    rows: tuple[Row, ...]
    plain: str | None = None
    needs_path: bool = False
    has_query: bool = True
    check_query: Callable[[str], object] = str
    models: tuple[str, ...] = ()

    @property
    def is_network(self) -> bool:
        """True if its addresses name a host."""
        return all(self.schemes.values())


def kinds() -> Iterator[AddressKind]:
    """Every kind, in the table's order."""
    return map(_load, SOURCES.values())


def schemes() -> list[str]:
    """Every scheme that an address may have."""
    return [scheme for kind in kinds() for scheme in kind.schemes]


def kind_of(scheme: str) -> AddressKind:
    """Return the kind of a scheme.

    Raises:
        ValueError: no kind has it.
    """
    for kind in kinds():
        if scheme in kind.schemes:
            return kind
    raise ValueError(f'unknown scheme "{scheme}"; expected one of {", ".join(schemes())}')


def is_network(scheme: str) -> bool:
    """Return whether addresses of a scheme name a host; False for an unknown one."""
    return scheme in schemes() and kind_of(scheme).is_network


def with_scheme(text: str) -> str:
    """An address with the scheme that a plain path stands for."""
    local = [kind for kind in kinds() if not kind.is_network]
    if "://" in text or text.startswith(tuple(f"{s}:" for kind in local for s in kind.schemes)):
        return text
    plain = [k for k in local if k.plain is not None and text.startswith(k.plain)]
    nearest = max(plain, key=lambda kind: len(str(kind.plain)))
    return f"{next(iter(nearest.schemes))}:{text}"


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
