"""The keys of webhooks: where events go, which, and as what."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from bridges.webhook.presets import JSON, Preset
from bridges.webhook.signature import signing_key
from bridges.webhook.templates import BadTemplateError, Template
from mirante.client.plan import make_plan
from mirante.keys import CAMERA_NAME
from mirante.where import Where
from pipeline.config.image_links import SECRET_LENGTH, ImageLinks, check_secret
from pipeline.config.section import Section

HookName = Annotated[str, Field(pattern=CAMERA_NAME)]
LONGEST_NAME = 56  # with "webhook-" before it, it is a bridge's name
_FIELD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # the name of an HTTP field, RFC 9110
_OURS = frozenset({"host", "content-length", "content-type", "transfer-encoding", "connection"})
_URL_WORDS = "expected http://host/path or https://host/path, without a login or fragment"


class Hook(Section):
    """One address that events are sent to."""

    url: SecretStr = Field(
        description="address to POST to; best written with ${NAME} where it holds a token. "
        "telegram: https://api.telegram.org/bot${TOKEN}; ntfy: the address of the topic"
    )
    preset: Preset = Field(
        "json", description="what the receiver wants: the event's JSON, or a message of a service"
    )
    cameras: list[str] = Field(["*"], description="names, or patterns of names")
    where: str | None = Field(
        None, description='filter of events, such as "label = person and zone = door"'
    )
    template: str | None = Field(
        None,
        description="Jinja2: the body (json), or the text of the message; sees event, text, time "
        "and image_url",
    )
    content_type: str | None = Field(
        None,
        pattern=r"^[\w.+-]+/[\w.+-]+(; ?[\w-]+=[\w-]+)*$",
        description="of a template's body (json); null: application/json",
    )
    chat: str | None = Field(
        None, pattern=r"^(-?\d+|@\w+)$", description="telegram: chat_id, a number or @channel"
    )
    headers: dict[str, SecretStr] = Field(
        {}, description="sent with each request, such as Authorization: Bearer ${TOKEN}"
    )
    secret: SecretStr | None = Field(
        None, description="signs each request, 16 characters or more; null: it is not signed"
    )
    cloudevents: bool = Field(
        True, description="headers of CloudEvents 1.0 in binary mode (preset json)"
    )
    image: Literal["none", "attach", "link"] = Field(
        "none", description="of events with an image: send it along, or a link that expires"
    )
    ca: Path | None = Field(
        None, description="file of certificates that are trusted instead of the system's"
    )
    timeout_s: float = Field(10.0, gt=0, le=300, description="seconds for one try")
    first_s: float = Field(
        1.0, gt=0, le=60, description="seconds before the second try; they double from there"
    )
    most_s: float = Field(60.0, gt=0, le=3600, description="longest seconds between two tries")
    give_up_s: float = Field(
        3600.0,
        ge=0,
        le=604_800,
        description="seconds of failures after which events become dead letters",
    )

    @field_validator("url")
    @classmethod
    def _address(cls, url: SecretStr) -> SecretStr:
        check_address(url.get_secret_value())
        return url

    @field_validator("cameras")
    @classmethod
    def _cameras(cls, cameras: list[str]) -> list[str]:
        make_plan(cameras, ["events"], None, None, {})
        return cameras

    @field_validator("chat", mode="before")
    @classmethod
    def _number(cls, chat: object) -> object:
        """YAML reads -100 as a number."""
        return str(chat) if isinstance(chat, int) and not isinstance(chat, bool) else chat

    @field_validator("where")
    @classmethod
    def _where(cls, where: str | None) -> str | None:
        if where is not None:
            Where(where)
        return where

    @field_validator("secret")
    @classmethod
    def _secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(signing_key(check_secret(secret))) < SECRET_LENGTH:
            raise ValueError(f"expected {SECRET_LENGTH} bytes or more in base64 behind whsec_")
        return secret

    @field_validator("headers")
    @classmethod
    def _headers(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            if not _FIELD.fullmatch(name) or name.lower() in _OURS:
                raise ValueError(
                    f'expected names of HTTP fields that Mirante does not set, got "{name}"'
                )
            if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value.get_secret_value()):
                raise ValueError(f"{name}: expected printable ASCII, without blanks around it")
        return headers

    @field_validator("ca")
    @classmethod
    def _certificates(cls, ca: Path | None) -> Path | None:
        from mirante.tls_files import check_certificates

        if ca is not None:
            check_certificates(ca)
        return ca

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.chat is not None) != (self.preset == "telegram"):
            words = "expected a chat for telegram" if self.chat is None else "expected telegram"
            raise ValueError(f"preset: {self.preset} — {words}, got chat {self.chat or 'null'}")
        if self.image == "attach" and self.preset == "slack":
            raise ValueError(
                "image: attach — expected link or none, as Slack's webhooks take no files"
            )
        if self.content_type and (self.template is None or self.preset != "json"):
            raise ValueError("content_type: expected it with a template, and the preset json")
        if self.most_s < self.first_s:
            raise ValueError(
                f"most_s: {self.most_s:g} — expected first_s, {self.first_s:g}, or more"
            )
        try:
            _ = self.made
        except BadTemplateError as error:
            raise ValueError(f"template: {error}") from None
        return self

    @cached_property
    def made(self) -> Template | None:
        """The template, read and tried."""
        if self.template is None:
            return None
        return Template(self.template, self.preset == "json" and self.media.startswith(JSON))

    @property
    def media(self) -> str:
        """The Content-Type of a template's body."""
        return self.content_type or JSON

    @property
    def shown(self) -> str:
        """The address as it may be shown: scheme and host; the rest may be a secret."""
        parts = urlsplit(self.url.get_secret_value())
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}"


class Hooks(Section):
    """A file of webhooks."""

    hooks: dict[HookName, Hook] = Field(description="addresses that events are sent to, by name")
    links: ImageLinks | None = Field(None, description="of links to images (image: link)")

    @field_validator("hooks")
    @classmethod
    def _some(cls, hooks: dict[str, Hook]) -> dict[str, Hook]:
        if not hooks:
            raise ValueError("expected at least one, by name")
        for name in hooks:
            if len(name) > LONGEST_NAME:
                raise ValueError(f"expected names of up to {LONGEST_NAME} characters, got {name}")
        return hooks

    @model_validator(mode="after")
    def _links_are_told(self) -> Self:
        for name, hook in self.hooks.items():
            if hook.image == "link" and self.links is None:
                raise ValueError(
                    f"hooks.{name}.image: link — expected links with dashboard and secret"
                )
        return self


def check_address(url: str) -> None:
    """Check that a URL is one that requests can be sent to.

    Raises:
        ValueError: it is not.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(_URL_WORDS) from None
    is_odd = parts.username is not None or parts.fragment or re.search(r"[\s\x00-\x1f]", url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or is_odd:
        raise ValueError(_URL_WORDS)
