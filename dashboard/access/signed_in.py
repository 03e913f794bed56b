"""People whom a proxy has signed in, as its headers tell: ``dashboard.trusted_header``."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection

from fastapi import HTTPException
from starlette.requests import HTTPConnection

from dashboard.access.client import comes_from
from dashboard.access.identity import Identity
from pipeline.config.dashboard import ANYONE, Dashboard, TrustedHeader

log = logging.getLogger(__name__)

MOST_NAME = 128
COMPLAIN_EVERY_S = 60.0
_BETWEEN_GROUPS = re.compile(r"[,|]")


class NoRightsError(RuntimeError):
    """The proxy signed somebody in whom ``trusted_header.rights`` gives nothing; in words."""


class SignedIn:
    """Reads who a proxy says that asks; believed only where the connection is that proxy's.

    Args:
        settings: those of the dashboard.
        clock: Unix seconds.
    """

    def __init__(self, settings: Dashboard, clock: Callable[[], float] = time.time) -> None:
        self._header = settings.trusted_header
        self._proxies = settings.proxy_networks()
        self._clock = clock
        self._complained_s = float("-inf")

    def read(self, connection: HTTPConnection) -> Identity | None:
        """Return who asks; None where no proxy says.

        Raises:
            NoRightsError: somebody who has no rights here.
            HTTPException: 400, the header came more than once, or holds no name.
        """
        header = self._header
        if header is None or header.user not in connection.headers:
            return None
        if not comes_from(connection, self._proxies):
            self._complain(connection, header.user)
            return None
        name = _one(connection, header.user)
        if not name:
            return None
        if len(name) > MOST_NAME or not name.isprintable():
            raise HTTPException(400, f"{header.user}: expected a name of at most {MOST_NAME} signs")
        return self._identity(header, name, _groups(connection, header))

    def _identity(self, header: TrustedHeader, name: str, groups: Collection[str]) -> Identity:
        for group, rights in header.rights.items():
            if group == ANYONE or group in groups:
                proof = str(self._clock())
                return Identity(name, rights.role, "proxy", proof, tuple(rights.cameras))
        shown = ", ".join(sorted(groups)) or "none"
        raise NoRightsError(
            f'"{name}" is signed in but has no rights here: no group of theirs ({shown}) is one of '
            "dashboard.trusted_header.rights"
        )

    def _complain(self, connection: HTTPConnection, header: str) -> None:
        now_s = time.monotonic()
        if now_s - self._complained_s >= COMPLAIN_EVERY_S:
            self._complained_s = now_s
            peer = connection.client.host if connection.client else "nowhere"
            words = "%s from %s is not believed: that is none of dashboard.proxies"
            log.warning(words, header, peer)


def _groups(connection: HTTPConnection, header: TrustedHeader) -> frozenset[str]:
    said = _one(connection, header.groups) if header.groups else ""
    return frozenset(filter(None, (each.strip() for each in _BETWEEN_GROUPS.split(said))))


def _one(connection: HTTPConnection, name: str) -> str:
    """The value of a proxy's header; one that came twice was written by the client too."""
    said = connection.headers.getlist(name)
    if len(said) > 1:
        raise HTTPException(
            400, f"{name} came {len(said)} times; the proxy must replace what clients send"
        )
    try:  # as HTTP has it, bytes are Latin-1; names of people are sent as UTF-8
        return said[0].encode("latin-1").decode("utf-8").strip() if said else ""
    except UnicodeDecodeError:
        return said[0].strip()
