"""Camera addresses that never show their credentials."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

SCHEMES = ("rtsp", "rtsps", "http", "https", "file", "v4l2", "test")


class CameraUrl:
    """An address with its user and password held apart, shown by nothing.

    ``str`` and ``repr`` give the address with ``***`` for the credentials. ``/dev/video0`` is read
    as ``v4l2:/dev/video0`` and a plain path as ``file:``.

    Raises:
        ValueError: no scheme that a camera can have, or no host or path where one is needed.
    """

    __slots__ = ("_split", "password", "username")

    def __init__(self, text: str) -> None:
        if "://" not in text and not text.startswith(("file:", "v4l2:", "test:")):
            text = f"v4l2:{text}" if text.startswith("/dev/video") else f"file:{text}"
        split = urlsplit(text)
        if split.scheme not in SCHEMES:
            raise ValueError(
                f'unknown scheme "{split.scheme}"; expected one of {", ".join(SCHEMES)}'
            )
        self.username = unquote(split.username) if split.username else None
        self.password = unquote(split.password) if split.password else None
        host = split.netloc.rpartition("@")[2]
        self._split = SplitResult(split.scheme, host, split.path, split.query, split.fragment)
        if split.scheme in {"rtsp", "rtsps", "http", "https"} and not split.hostname:
            raise ValueError(f'no host in "{self}"; expected {split.scheme}://host/path')
        if split.scheme in {"file", "v4l2"} and not split.path:
            raise ValueError(f"no path; expected {split.scheme}:PATH")

    @property
    def scheme(self) -> str:
        """The scheme, one of ``SCHEMES``."""
        return self._split.scheme

    @property
    def path(self) -> str:
        """The path, with percent escapes decoded."""
        return unquote(self._split.path)

    @property
    def query(self) -> str:
        """What stands behind the question mark."""
        return self._split.query

    @property
    def bare(self) -> str:
        """The address without credentials, as a source element may be given it."""
        return self._split.geturl()

    def __str__(self) -> str:
        if self.username is None and self.password is None:
            return self.bare
        return self._split._replace(netloc=f"***@{self._split.netloc}").geturl()

    def __repr__(self) -> str:
        return f"CameraUrl({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CameraUrl):
            return NotImplemented
        return (self.bare, self.username, self.password) == (
            other.bare,
            other.username,
            other.password,
        )

    def __hash__(self) -> int:
        return hash((self.bare, self.username, self.password))

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        def read(value: object) -> CameraUrl:
            if isinstance(value, CameraUrl):
                return value
            if not isinstance(value, str):
                raise ValueError(f"expected an address, got {type(value).__name__}")
            return cls(value)

        return core_schema.no_info_plain_validator_function(
            read, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )
