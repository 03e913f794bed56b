"""The dashboard's section: who may do what, and the proxies it stands behind."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from pipeline.config.image_links import check_secret
from pipeline.config.section import Section

Role = Literal["viewer", "operator", "admin"]
UserName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$")]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

EVERY = "*"
ALL_CAMERAS = (EVERY,)
ANYONE = "*"  # the group of everybody whom the proxy signs in
_PATTERN = r"[A-Za-z0-9*?][A-Za-z0-9_.*?-]{0,63}"
_HEADER = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?"
_NOT_OURS = frozenset({"authorization", "cookie", "host", "origin", "connection", "upgrade"})


def read_pattern(text: str) -> str:
    """Return a camera's name, or a pattern of such names.

    Raises:
        ValueError: it is neither.
    """
    if not re.fullmatch(_PATTERN, text):
        raise ValueError(
            f'expected the name of a camera, with * for any letters and ? for any one, got "{text}"'
        )
    return text


class Rights(Section):
    """What somebody may do, and to which cameras."""

    role: Role = Field(
        "viewer",
        description="viewers look; operators also pause cameras, test them, draw zones and swap "
        "models; admins also add, change and remove cameras",
    )
    cameras: list[str] = Field(
        [EVERY],
        description="names of the cameras that exist for them, or patterns such as yard-*",
    )

    @field_validator("cameras")
    @classmethod
    def _patterns(cls, cameras: list[str]) -> list[str]:
        if not cameras:
            raise ValueError('expected at least one name or pattern; ["*"] is every camera')
        return [read_pattern(each) for each in cameras]


class User(Rights):
    """A person who may log in to the dashboard."""

    password: SecretStr = Field(description="argon2 hash, as `mirante dashboard hash` prints it")

    @field_validator("password")
    @classmethod
    def _hashed(cls, password: SecretStr) -> SecretStr:
        if not password.get_secret_value().startswith("$argon2"):
            raise ValueError("expected a hash that begins $argon2, from: mirante dashboard hash")
        return password


class Token(Rights):
    """A machine that may use the dashboard's API."""

    sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$",
        description="SHA-256 of the token in hex, as `mirante dashboard token` prints it",
    )


class Group(Rights):
    """The rights of a group of people whom a proxy signs in; a role alone is short for them."""

    @model_validator(mode="before")
    @classmethod
    def _role_alone(cls, said: Any) -> Any:
        return {"role": said} if isinstance(said, str) else said


class TrustedHeader(Section):
    """The headers by which a proxy of ``dashboard.proxies`` tells whom it has signed in."""

    user: str = Field(description="header with the user's name, such as Remote-User")
    groups: str | None = Field(
        None, description="header with the user's groups, such as Remote-Groups"
    )
    rights: dict[str, Group] = Field(
        description='rights by group, of which the first that a user is in holds; "*" is everybody '
        "who is signed in"
    )
    logout_url: str | None = Field(
        None,
        pattern=r"^(/|/[^/\s]\S*|https?://\S+)$",
        description="where Log out leads; null: nowhere",
    )

    @field_validator("user", "groups")
    @classmethod
    def _header(cls, name: str | None) -> str | None:
        if name is None:
            return None
        if not re.fullmatch(_HEADER, name) or name.lower() in _NOT_OURS:
            raise ValueError("expected the name of a header, such as Remote-User")
        return name

    @field_validator("rights")
    @classmethod
    def _somebody(cls, rights: dict[str, Group]) -> dict[str, Group]:
        if not rights:
            raise ValueError('expected at least one group, or "*" for everybody who is signed in')
        return rights

    @model_validator(mode="after")
    def _groups_are_told(self) -> Self:
        if self.groups is None and set(self.rights) != {ANYONE}:
            raise ValueError('rights: expected "*" alone, as groups is null')
        if self.groups is not None and self.groups.lower() == self.user.lower():
            raise ValueError("groups: expected another header than that of the user")
        return self


class Dashboard(Section):
    """The web page, and the API behind it."""

    host: str = Field(
        "127.0.0.1",
        description="address to listen on; one that others can reach needs users or tokens",
    )
    port: int | None = Field(
        8600, ge=0, le=65_535, description="port to listen on; 0 takes a free one, null none"
    )
    users: dict[UserName, User] = Field({}, description="who may log in, by name")
    tokens: dict[UserName, Token] = Field({}, description="machines that may ask, by name")
    secret: SecretStr | None = Field(
        None, description="signs sessions; null: made once and kept in a file of this user's"
    )
    link_secret: SecretStr | None = Field(
        None,
        description="signs links to images of events that open without a login until they expire; "
        "16 characters or more; null: there are no such links",
    )
    session_h: float = Field(168.0, gt=0, le=8760, description="hours that a login lasts")
    names: list[str] = Field(
        [], description="host names by which pages reach it through a proxy, such as cams.lan"
    )
    https: bool = Field(
        False, description="pages reach it through a proxy that speaks TLS: cookies are Secure"
    )
    proxies: list[str] = Field(
        [],
        description="addresses or networks of the proxies in front, such as 127.0.0.1 or "
        "10.0.3.0/24; only they are believed about a client's address (X-Forwarded-For)",
    )
    trusted_header: TrustedHeader | None = Field(
        None, description="headers by which a proxy of `proxies` tells whom it has signed in"
    )

    local_targets: bool = Field(
        False,
        description="cameras that are tested on the page, and those that an admin of some cameras "
        "adds or changes, may be files of the worker's machine, or at its loopback and link-local "
        "addresses",
    )

    @field_validator("link_secret")
    @classmethod
    def _long(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            check_secret(secret)
        return secret

    @field_validator("proxies")
    @classmethod
    def _networks(cls, proxies: list[str]) -> list[str]:
        for each in proxies:
            try:
                network = ipaddress.ip_network(each, strict=False)
            except ValueError:
                raise ValueError(
                    f'expected an address or a network such as 10.0.3.0/24, got "{each}"'
                ) from None
            if network.prefixlen == 0:
                raise ValueError(f"expected the addresses of proxies; {each} is every address")
        return proxies

    @field_validator("trusted_header")
    @classmethod
    def _proxy_is_named(
        cls, header: TrustedHeader | None, info: ValidationInfo
    ) -> TrustedHeader | None:
        if header is not None and info.data.get("proxies") == []:
            raise ValueError(
                "expected dashboard.proxies to name the proxy that sends it; without that anybody "
                "could send it"
            )
        return header

    def proxy_networks(self) -> list[Network]:
        """The networks of ``proxies``."""
        return [ipaddress.ip_network(each, strict=False) for each in self.proxies]
