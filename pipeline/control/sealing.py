"""Encrypt what is secret in a camera's address, so that it may travel through Redis to its worker.

A key of the installation does, which every machine that adds or runs cameras of a fleet has. What
it seals is bound to one camera and one host: whoever can write to Redis can neither give it to
another camera nor send it to another address. AES-256-GCM, with a random nonce of 96 bits.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mirante.home import home
from pipeline.config.environment import KEY_VARIABLE
from pipeline.control.private_file import IS_FOLDER, PrivateFile

PREFIX = "sealed:"
FILE_VARIABLE = f"{KEY_VARIABLE}_FILE"
KEY_BYTES, NONCE_BYTES = 32, 12
HAVE_ONE = f"make one with: mirante fleet key; or set {KEY_VARIABLE} or {FILE_VARIABLE}"


class FleetKeyError(RuntimeError):
    """There is no key of the fleet, or not the one that is needed; in words."""


@dataclass(frozen=True, slots=True)
class FleetKeys:
    """The keys of a fleet: the first seals, each opens what it sealed.

    Attributes:
        keys: 32 bytes each, newest first.
        place: where they come from, in words.
    """

    keys: tuple[bytes, ...]
    place: str

    def __repr__(self) -> str:
        return f"FleetKeys({', '.join(self.names)} of {self.place})"

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each, by which what it sealed is known; it tells nothing of the key."""
        return tuple(name_of(key) for key in self.keys)

    def seal(self, camera: str, url: str, secret: str) -> str:
        """Return what stands in the place of a secret in ``url``, the address of a camera."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = _cipher(self.keys[0]).encrypt(nonce, secret.encode(), _bound_to(camera, url))
        return f"${{{PREFIX}{self.names[0]}.{_encoded(nonce + sealed)}}}"

    def open(self, camera: str, url: str, reference: str) -> str:
        """Return the secret that ``reference``, what stands in the braces, was made of.

        Raises:
            FleetKeyError: another key sealed it, or it belongs to another camera or host.
        """
        name, _, text = reference.removeprefix(PREFIX).partition(".")
        if name not in self.names:
            raise FleetKeyError(f"{_sealed_by(name)}; {self.place} has {', '.join(self.names)}")
        from cryptography.exceptions import InvalidTag

        try:
            data = _decoded(text)
            opened = _cipher(self.keys[self.names.index(name)]).decrypt(
                data[:NONCE_BYTES], data[NONCE_BYTES:], _bound_to(camera, url)
            )
            return str(opened, "utf-8")
        except (InvalidTag, ValueError):
            raise FleetKeyError(
                "its password was sealed for another camera or address, or somebody changed it; "
                "enter the address again, with its password"
            ) from None


def find_keys() -> FleetKeys | None:
    """Return the keys of this machine; None where it has none.

    Raises:
        FleetKeyError: they cannot be read, or are none.
    """
    if text := os.environ.get(KEY_VARIABLE):
        return _read(text, KEY_VARIABLE)
    if named := os.environ.get(FILE_VARIABLE):  # a secret of Kubernetes or Docker: as it is mounted
        try:
            return _read(Path(named).read_text(encoding="ascii"), f"{FILE_VARIABLE} ({named})")
        except IsADirectoryError:
            raise FleetKeyError(f"{FILE_VARIABLE}: {named} {IS_FOLDER}") from None
        except OSError as error:
            words = f"{named} cannot be read: {error.strerror}"
            raise FleetKeyError(f"{FILE_VARIABLE}: {words}") from None
        except UnicodeDecodeError:
            raise FleetKeyError(f"{FILE_VARIABLE}: {named} is no key: it is not text") from None
    path = default_path()
    try:
        return _read(PrivateFile(path, FleetKeyError).read().decode("ascii", "replace"), str(path))
    except FileNotFoundError:
        return None


def default_path() -> Path:
    """``$MIRANTE_HOME/fleet.key``, or the one in ``~/.config/mirante``."""
    return home("config") / "fleet.key"


def needed_keys(reference: str) -> FleetKeys:
    """Return this machine's keys, to open ``reference`` with.

    Raises:
        FleetKeyError: it has none, or they cannot be read.
    """
    keys = find_keys()
    if keys is None:
        name = reference.removeprefix(PREFIX).partition(".")[0]
        words = f"which this machine has not: put it into {default_path()}, mode 0600, or set"
        raise FleetKeyError(f"{_sealed_by(name)}, {words} {KEY_VARIABLE} or {FILE_VARIABLE}")
    return keys


def made_key() -> bytes:
    """Return a new key."""
    return secrets.token_bytes(KEY_BYTES)


def name_of(key: bytes) -> str:
    """Return the name of a key: eight hexadecimal digits of its SHA-256."""
    return hashlib.sha256(key).hexdigest()[:8]


def key_text(keys: Sequence[bytes]) -> str:
    """Return keys as the file and the variable hold them: a line each, newest first."""
    return "".join(f"{_encoded(key)}\n" for key in keys)


def _read(text: str, place: str) -> FleetKeys:
    keys = []
    for number, word in enumerate(re.split(r"[\s,]+", text.strip()), 1):
        try:
            key = _decoded(word)
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:  # a part of it may be right, so none is repeated
            raise FleetKeyError(
                f"{place}: key {number} — expected 43 letters, digits, '-' or '_', as "
                "mirante fleet key makes them"
            )
        keys.append(key)
    return FleetKeys(tuple(keys), place)


def _cipher(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ModuleNotFoundError:
        words = (
            "passwords of a fleet need the package cryptography: pip install 'mirante[pipeline]'"
        )
        raise FleetKeyError(words) from None
    return AESGCM(key)


def _bound_to(camera: str, url: str) -> bytes:
    """Return what a secret is sealed for: its camera, and the host that it is sent to."""
    split = urlsplit(url)
    return json.dumps([camera, split.scheme, split.netloc.rpartition("@")[2]]).encode()


def _sealed_by(name: str) -> str:
    return f"its password is sealed with the fleet's key {name}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    """Read what ``_encoded`` wrote, and nothing else.

    Raises:
        ValueError: it is not that.
    """
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encoded(data) != text:
        raise ValueError("expected base64 as it is written here")
    return data
