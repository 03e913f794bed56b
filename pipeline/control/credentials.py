"""Camera passwords that were given by hand: in a file that only its owner can read, or sealed.

Where there is a key of the fleet, what is secret in an address is sealed with it and stays in the
address, for the worker that has the camera; else it goes to the file, which one machine has.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from mirante.home import home
from pipeline.config.camera_url import SECRET_PARAMETER
from pipeline.config.environment import REFERENCE, UnresolvedReferenceError
from pipeline.config.source_kinds import is_network
from pipeline.control.private_file import FULL, SECTOR, PrivateFile
from pipeline.control.sealing import HAVE_ONE, FleetKeyError, find_keys, needed_keys
from pipeline.control.sealing import PREFIX as SEALED

PREFIX = "credential:"


class CredentialsError(RuntimeError):
    """The file of credentials, or the key of the fleet, cannot be used."""


def default_path() -> Path:
    """``$MIRANTE_HOME/credentials.json``, or the one in ``~/.config/mirante``."""
    return home("config") / "credentials.json"


class NoFleetKeyError(CredentialsError):
    """A password would have to travel, and this machine has no key of the fleet."""


class Credentials:
    """Secrets by a name that says nothing, in a JSON file of mode 0600."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_path()
        self._file = PrivateFile(self.path, CredentialsError)

    def withdraw(self, camera: str, url: str, travels: bool = False) -> str:
        """``url`` with what is secret in it sealed, ``${sealed:…}``, where this machine has a key
        of the fleet; else moved to the file and named by ``${credential:…}``.

        Secret are a password in front of the host, and parameters with names such as ``password``
        or ``token``, in the query or the path. What is written ``${NAME}`` already stays as it is.

        Args:
            camera: whose address it is.
            url: the address, whole.
            travels: the camera's worker may be on any machine, so the file is no place for it.

        Raises:
            CredentialsError: the file cannot be changed, or the key cannot be read.
            NoFleetKeyError: the camera travels and there is no key.
        """
        split = urlsplit(url)
        userinfo, _, host = split.netloc.rpartition("@")
        taken: dict[str, str] = {}

        def take(secret: str) -> str:
            name = f"{camera}-{secrets.token_hex(4)}"
            taken[name] = secret
            return f"${{{PREFIX}{name}}}"

        if REFERENCE.sub("", userinfo).partition(":")[2]:  # a reference has a colon of its own
            split = split._replace(netloc=f"{take(userinfo)}@{host}")

        def hide(match: re.Match[str]) -> str:
            value = match["value"]
            return match["name"] + (take(value) if _is_literal(value) else value)

        text = split.geturl()
        if is_network(split.scheme):
            start = len(f"{split.scheme}://{split.netloc}")
            text = text[:start] + SECRET_PARAMETER.sub(hide, text[start:])
        if not taken:
            return url
        if (sealed := _sealed(camera, text, taken, travels)) is not None:
            return sealed
        with self._file.locked():
            self._write(self._read() | taken)
        return text

    def revealed(self, camera: str, url: str) -> str:
        """``url`` as it was before ``withdraw``; each ``${NAME}`` of a variable stays.

        Raises:
            UnresolvedReferenceError: a secret is not in the file, or cannot be opened here.
            CredentialsError: the file cannot be read.
        """

        def put_back(match: re.Match[str]) -> str:
            name = match[1] or ""
            if name.startswith(PREFIX):
                return self.lookup(name)
            return _opened(camera, url, name) if name.startswith(SEALED) else match[0]

        return REFERENCE.sub(put_back, url)

    def lookup(self, name: str) -> str:
        """The secret that ``${credential:…}`` stands for.

        Raises:
            UnresolvedReferenceError: it is not in the file.
            CredentialsError: the file cannot be read.
        """
        try:
            return self._read()[name.removeprefix(PREFIX)]
        except KeyError:
            raise UnresolvedReferenceError(
                f"its password is not in {self.path} on this machine; "
                "add the camera here, or write the password as ${VARIABLE}"
            ) from None

    def forget(self, url: str) -> None:
        """Remove the secrets that ``url`` names, also where the disk is full.

        Raises:
            CredentialsError: the file cannot be changed.
        """
        names = {m[1].removeprefix(PREFIX) for m in REFERENCE.finditer(url) if _is_own(m)}
        if not names & self._read().keys():
            return
        with self._file.locked():
            entries = self._read()
            try:
                self._write({n: secret for n, secret in entries.items() if n not in names})
            except OSError as error:
                if error.errno not in FULL:
                    raise
                for name in names & entries.keys():
                    self._file.blank(_span(self._file.read(), name))

    def _read(self) -> dict[str, str]:
        """Return the secrets by name, without those that were blanked."""
        try:
            entries = dict(json.loads(self._file.read()))
            return {name: secret for name, secret in entries.items() if secret.strip()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError):
            raise CredentialsError(f"{self.path}: expected a JSON object of strings") from None

    def _write(self, entries: Mapping[str, str]) -> None:
        self._file.write(json.dumps(entries, indent=1).encode())


def _span(content: bytes, name: str) -> slice:
    """Return where the entry of ``name`` stands in JSON that stays valid without it.

    A write that crosses sectors may end between them. Then it is the secret alone: between its
    quotes any part of it may be blank.
    """
    key = re.escape(json.dumps(name).encode())
    found = re.search(rb"(,\s*)?" + key + rb'\s*:\s*"((?:[^"\\]|\\.)*)"(\s*,)?', content)
    assert found is not None  # it was read from there
    start, end = found.start(), found.end(2) + 1 if found[1] else found.end()
    if start // SECTOR == (end - 1) // SECTOR:
        return slice(start, end)
    return slice(*found.span(2))


def _is_literal(text: str) -> bool:
    return bool(REFERENCE.sub("", text))


def _is_own(match: re.Match[str]) -> bool:
    return bool(match[1] and match[1].startswith(PREFIX))


def _sealed(camera: str, url: str, taken: Mapping[str, str], travels: bool) -> str | None:
    """Return ``url`` with each secret that was taken sealed; None where there is no key."""
    try:
        keys = find_keys()
        if keys is not None:
            for name, secret in taken.items():
                url = url.replace(f"${{{PREFIX}{name}}}", keys.seal(camera, url, secret))
            return url
    except FleetKeyError as error:
        raise CredentialsError(str(error)) from None
    if travels:
        raise NoFleetKeyError(
            f'camera "{camera}": its password must travel to whichever worker has the camera, and '
            f"this machine has no key of the fleet to seal it with; {HAVE_ONE}"
        )
    return None


def _opened(camera: str, url: str, reference: str) -> str:
    try:
        return needed_keys(reference).open(camera, url, reference)
    except FleetKeyError as error:
        raise UnresolvedReferenceError(str(error)) from None
