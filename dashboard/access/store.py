"""Users and tokens that were added by command: a file that only its owner can read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from pipeline.config.dashboard import ALL_CAMERAS, Role
from pipeline.control.credentials import default_path
from pipeline.control.private_file import FULL, PrivateFile

FILE = "dashboard.json"


class AccessError(RuntimeError):
    """The accounts cannot be read, or must not be served like this; says why."""


class StoredUser(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A person, the argon2 hash of the password, and their rights."""

    password: str
    role: Role
    cameras: tuple[str, ...] = ALL_CAMERAS

    def __repr__(self) -> str:
        return f"StoredUser(role={self.role!r}, cameras={self.cameras!r})"


class StoredToken(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A machine, the SHA-256 of its token in hex, and its rights."""

    sha256: str
    role: Role
    cameras: tuple[str, ...] = ALL_CAMERAS


class Stored(msgspec.Struct, forbid_unknown_fields=True):
    """The file.

    Attributes:
        secret: signs sessions; empty until one is needed.
        users: by name.
        tokens: by name.
        ended: sessions that were logged out of, with the Unix second until which they would last.
    """

    secret: str = ""
    users: dict[str, StoredUser] = {}
    tokens: dict[str, StoredToken] = {}
    ended: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"Stored(users={sorted(self.users)}, tokens={sorted(self.tokens)})"


_read_stored = msgspec.json.Decoder(Stored)


class Store:
    """``dashboard.json`` beside the file of camera passwords, mode 0600.

    Args:
        folder: where it lies; by default that of ``credentials.json``.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.path = (folder or default_path().parent) / FILE
        self._file = PrivateFile(self.path, AccessError)
        self._read_as: tuple[int, ...] = ()
        self._stored = Stored()

    def read(self) -> Stored:
        """Return the stored accounts, read again only when the file has changed. Do not modify
        them.

        Raises:
            AccessError: others can read it, or it is not what was written here.
        """
        try:
            found = self._file.stat()
        except FileNotFoundError:
            self._read_as, self._stored = (), Stored()
            return self._stored
        seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        if seen != self._read_as:
            stored = self._parse()
            self._read_as, self._stored = seen, stored
        return self._stored

    @contextmanager
    def changing(self) -> Iterator[Stored]:
        """Yield the stored accounts and write them back in one piece; one process at a time.

        Users and tokens are removed on a full disk too.

        Raises:
            AccessError: as ``read``, or it cannot be written.
        """
        with self._file.locked():
            try:
                stored = self._parse()
            except FileNotFoundError:
                stored = Stored()
            before = _hashes(stored)
            yield stored
            try:
                self._file.write(msgspec.json.format(msgspec.json.encode(stored), indent=1))
            except OSError as error:
                left = _hashes(stored)
                if error.errno not in FULL or not left < before:
                    raise
                for removed in before - left:
                    self._blank(removed)

    def _blank(self, removed: str) -> None:
        """Write spaces over a hash, in place: any part of them makes it the hash of nothing."""
        start = self._file.read().index(f'"{removed}"'.encode()) + 1
        self._file.blank(slice(start, start + len(removed)))

    def _parse(self) -> Stored:
        try:
            stored = _read_stored.decode(self._file.read())
        except msgspec.MsgspecError as error:
            raise AccessError(
                f"{self.path}: {error}; expected what `mirante dashboard user` writes"
            ) from None
        stored.users = {name: each for name, each in stored.users.items() if each.password.strip()}
        stored.tokens = {name: each for name, each in stored.tokens.items() if each.sha256.strip()}
        return stored


def _hashes(stored: Stored) -> set[str]:
    users = {user.password for user in stored.users.values()}
    return users | {token.sha256 for token in stored.tokens.values()}
