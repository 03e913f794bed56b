"""Camera addresses that never show their credentials."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from pipeline.config.source_kinds import AddressKind, Endpoint, kind_of, with_scheme

if TYPE_CHECKING:  # the help of ``mirante camera`` is made from the kinds, which need no more
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

ADDRESSES = ("url", "view", "onvif_url")  # keys of a camera that may hold passwords

# What a parameter's name says when its value is a secret. Cameras part parameters by "&", ";" or,
# in a path, by "_", which may also stand in a name and in a secret: it parts only before "name=".
# Lengths are bounded because any text is searched.
SECRET_PARAMETER = re.compile(
    r"""
    (?P<name>
      (?:^|(?<=[?&;_/]))
      [^=&?;/\s]{0,64}?
      (?: passw|passph|passcode|stream[_-]?id|pwd|psw|token|secret
        | (?<!by)(?<!com)pass(?![a-z]) | pas(?![a-z]) | (?<![a-z])pw(?![a-z])
        | auth(?!or(?!i)) | (?<!mon)(?<!hot)(?<!tur)key(?![a-z]|_?frame)
      )
      [^=&?;/\s]{0,64}
      =
    )
    (?P<value> (?: (?![;?][\w.-]+= | _[^\W_]+=[^=&;\s]) [^&\s] )* )
    """,
    re.IGNORECASE | re.VERBOSE,
)


_IP_ADDRESS = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.%]*\])(?::\d*)?")
_LOGIN = (
    "expected scheme://user:password@host:port/path; in user and password write "
    ": / ? # [ ] @ % as %3A %2F %3F %23 %5B %5D %40 %25"
)


def redact(text: str) -> str:
    """Any text with what may be credentials of an address in it replaced by ``***``."""
    start, end = text.find("//"), _login_end(text)
    if 0 <= start < end:
        text = f"{text[:start]}//***@{text[end:]}"
    return SECRET_PARAMETER.sub(r"\g<name>***", text)


def redact_address(text: str) -> str:
    """An address, perhaps a wrong one, with all that may be its login replaced by ``***``."""
    end = _login_end(text)
    if not end:
        return redact(text)
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text)
    return f"{scheme[0] if scheme else ''}***@{redact(text[end:])}"


def _login_end(text: str) -> int:
    """Where what may be a login ends: behind the last ``@``, or behind the secret that holds it."""
    at = text.rfind("@")
    secrets = (found.span() for found in SECRET_PARAMETER.finditer(text))
    return max([at + 1, *(end for start, end in secrets if start < at < end)])


class CameraUrl:
    """An address with its user and password held apart, shown by nothing.

    ``str`` and ``repr`` give the address with ``***`` for the credentials, also for those in
    parameters such as ``password=``, in the query or the path. ``/dev/video0``, ``0`` and
    ``webcam`` are read as ``v4l2:/dev/video0``, and another plain path as ``file:``; nothing in a
    plain path is an escape.

    Raises:
        ValueError: no scheme that a camera can have, no host or path where one is needed, a port
            that is none, or a login that is not escaped. The message repeats no part of a login.
    """

    __slots__ = ("_split", "password", "username")

    def __init__(self, text: str) -> None:
        text = with_scheme(text.strip() if "://" in text else text)
        try:
            split = urlsplit(text)
        except ValueError:
            raise ValueError(_LOGIN) from None
        kind = kind_of(split.scheme)
        endpoint = kind.schemes[split.scheme]
        if endpoint is not None and endpoint.has_login:
            _check_login(text)
        _check_port(split, endpoint is not None and endpoint.has_login)
        if not kind.has_query:
            path = text.partition(":")[2].removeprefix(f"//{split.netloc}")
            split = SplitResult(split.scheme, split.netloc, path, "", "")
        if not kind.has_fragment and split.fragment:
            split = split._replace(query=f"{split.query}#{split.fragment}", fragment="")
        self.username = unquote(split.username) if split.username else None
        self.password = unquote(split.password) if split.password else None
        host = split.netloc.rpartition("@")[2]
        self._split = SplitResult(split.scheme, host, split.path, split.query, split.fragment)
        if self.is_network:
            self._check_host()
        if kind.needs_path and not split.path:
            raise ValueError(f"no path; expected {split.scheme}:PATH")

    def _check_host(self) -> None:
        endpoint = self.endpoint
        if not self._split.hostname and (endpoint is None or endpoint.needs_host):
            raise ValueError(f'no host in "{self}"; expected {self.scheme}://host/path')
        if (self.username or self.password) and endpoint and not endpoint.has_login:
            raise ValueError(f"expected no user and password; {self.scheme}:// has none")
        if self.port is None:
            raise ValueError(f'no port in "{self}"; expected {self.scheme}://host:port')

    @property
    def scheme(self) -> str:
        """The scheme, one that a kind of source has."""
        return self._split.scheme

    @property
    def kind(self) -> AddressKind:
        """The kind of source that has the scheme, or that claims the path's ending."""
        return kind_of(self.scheme, self._split.path)

    @property
    def endpoint(self) -> Endpoint | None:
        """The endpoint of its scheme; None for a source of this machine."""
        return kind_of(self.scheme).schemes[self.scheme]

    @property
    def is_network(self) -> bool:
        """True if it names a host."""
        return self.endpoint is not None

    @property
    def host(self) -> str:
        """The host, or "" for a source of this machine."""
        return unquote(self._split.hostname or "")  # of a zone: fe80::1%25eth0

    @property
    def port(self) -> int | None:
        """The port that it names, else its scheme's."""
        return self._split.port or (self.endpoint.port if self.endpoint else None)

    @property
    def path(self) -> str:
        """The path, with percent escapes decoded."""
        return unquote(self._split.path)

    @property
    def query(self) -> str:
        """The part after the question mark."""
        return self._split.query

    @property
    def target(self) -> str:
        """The path and the query, as HTTP asks for them."""
        return self._split._replace(scheme="", netloc="", fragment="").geturl() or "/"

    @property
    def bare(self) -> str:
        """The address without credentials."""
        return _join(self._split)

    @property
    def location(self) -> str:
        """The address as a source element is given it: without credentials, and without the
        prefix of a scheme such as ``hls+http``.
        """
        prefix = self.scheme.removesuffix(self.scheme.rpartition("+")[2])
        return self.bare.removeprefix(prefix)

    def __str__(self) -> str:
        secret = self.username is not None or self.password is not None
        netloc = f"***@{self._split.netloc}" if secret else self._split.netloc
        text = _join(self._split._replace(netloc=netloc))
        return SECRET_PARAMETER.sub(r"\g<name>***", text) if self.is_network else text

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
        from pydantic_core import core_schema

        def read(value: object) -> CameraUrl:
            if isinstance(value, CameraUrl):
                return value
            if type(value) is int:  # 0 for a webcam needs no quotes
                value = str(value)
            if not isinstance(value, str):
                raise ValueError(f"expected an address, got {type(value).__name__}")
            return cls(value)

        return core_schema.no_info_plain_validator_function(
            read, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string"}


def _check_login(text: str) -> None:
    """Refuse a login that holds what ends it: the rest would be taken for host and path, shown,
    and looked up.

    An ``@`` behind the host is one of a path only where nothing before it can be a login: where
    there is no colon, or the host is an IP address.
    """
    rest = text.partition("://")[2]
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    before, at, _ = rest.removeprefix(authority).rpartition("@")
    if not at or _IP_ADDRESS.fullmatch(authority):
        return
    if "@" in authority or ":" in authority + before:
        raise ValueError(_LOGIN)


def _check_port(split: SplitResult, has_login: bool) -> None:
    """Refuse a port that is none, as what it may be: part of a login that is not escaped, which is
    not repeated.
    """
    try:
        port = split.port
    except ValueError:
        port = 0
    if port != 0:
        return
    before, _, authority = split.netloc.rpartition("@")
    named = authority.rpartition(":")[2]
    is_cut = "@" in split._replace(netloc="").geturl() and not _IP_ADDRESS.fullmatch(authority)
    if is_cut or (has_login and not before and not named.isdecimal()):
        raise ValueError(_LOGIN)
    raise ValueError(f'port "{named}"; expected 1 to 65535')


def _join(split: SplitResult) -> str:
    """Join the parts of a URL; ``geturl`` would make ``file:clip.mp4`` an absolute path."""
    kind = kind_of(split.scheme)
    if kind.is_network or split.netloc:
        return split.geturl()
    start = f"{split.scheme}:" if kind.needs_path else f"{split.scheme}://"
    return start + split.path + (f"?{split.query}" if split.query else "")
