"""Camera passwords that were given by hand: a file that only its owner can read, never Redis."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.config.camera_url import SECRET_PARAMETER
from pipeline.config.environment import REFERENCE, UnresolvedReferenceError
from pipeline.config.source_kinds import is_network
from pipeline.control.private_file import PrivateFile

PREFIX = "credential:"


class CredentialsError(RuntimeError):
    """The file of credentials cannot be used."""


def default_path() -> Path:
    """``$MIRANTE_HOME/credentials.json``, or the one in ``~/.config/mirante``."""
    home = os.environ.get("MIRANTE_HOME")
    return (Path(home) if home else Path.home() / ".config" / "mirante") / "credentials.json"


class Credentials:
    """Secrets by a name that says nothing, in a JSON file of mode 0600."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_path()
        self._file = PrivateFile(self.path, CredentialsError)

    def withdraw(self, camera: str, url: str) -> str:
        """``url`` with what is secret in it moved to the file and named by ``${credential:…}``.

        Secret are a password in front of the host, and parameters with names such as ``password``
        or ``token``, in the query or the path. What is written ``${NAME}`` already stays as it is.
        """
        split = urlsplit(url)
        userinfo, _, host = split.netloc.rpartition("@")
        taken: dict[str, str] = {}
        if REFERENCE.sub("", userinfo).partition(":")[2]:  # a reference has a colon of its own
            split = split._replace(netloc=f"{_take(camera, userinfo, taken)}@{host}")

        def hide(match: re.Match[str]) -> str:
            value = match["value"]
            return match["name"] + (_take(camera, value, taken) if _is_literal(value) else value)

        text = split.geturl()
        if is_network(split.scheme):
            start = len(f"{split.scheme}://{split.netloc}")
            text = text[:start] + SECRET_PARAMETER.sub(hide, text[start:])
        if not taken:
            return url
        with self._changing() as entries:
            entries.update(taken)
        return text

    def lookup(self, name: str) -> str:
        """The secret that ``${credential:…}`` stands for.

        Raises:
            UnresolvedReferenceError: it is not in the file.
        """
        try:
            return self._read()[name.removeprefix(PREFIX)]
        except KeyError:
            raise UnresolvedReferenceError(
                f"its password is not in {self.path} on this machine; "
                "add the camera here, or write the password as ${VARIABLE}"
            ) from None

    def forget(self, url: str) -> None:
        """Removes the secrets that ``url`` names."""
        names = [m[1].removeprefix(PREFIX) for m in REFERENCE.finditer(url) if _is_own(m)]
        if names:
            with self._changing() as entries:
                for name in names:
                    entries.pop(name, None)

    def _read(self) -> dict[str, str]:
        try:
            self._file.stat()
            return dict(json.loads(self.path.read_text()))
        except FileNotFoundError:
            return {}
        except ValueError:
            raise CredentialsError(f"{self.path}: expected a JSON object of strings") from None

    @contextmanager
    def _changing(self) -> Iterator[dict[str, str]]:
        """The entries, written back in one piece; one process at a time."""
        with self._file.locked():
            entries = self._read()
            yield entries
            self._file.write(json.dumps(entries, indent=1).encode())


def _is_literal(text: str) -> bool:
    return bool(REFERENCE.sub("", text))


def _is_own(match: re.Match[str]) -> bool:
    return bool(match[1] and match[1].startswith(PREFIX))


def _take(camera: str, secret: str, taken: dict[str, str]) -> str:
    name = f"{camera}-{secrets.token_hex(4)}"
    taken[name] = secret
    return f"${{{PREFIX}{name}}}"
