"""Options of ``mirante bridge mqtt``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

import typer

from bridges.mqtt.topics import level
from bridges.tls_files import CaOption, CertOption, KeyOption, check_tls_files
from engines.commands import Text, Texts

Role = Literal["none", "operator", "admin"]
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_PASSWORD = "MIRANTE_MQTT_PASSWORD"  # noqa: S105 the name of a variable


def _read_prefix(text: str, option: str = "--prefix") -> str:
    if any(not each or level(each) != each for each in text.split("/")):
        raise ValueError(f'{option}: expected levels of a topic without +, # and %, got "{text}"')
    return text


def _read_discovery(text: str) -> str:
    return text and _read_prefix(text, "--discovery")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which broker, what is published there, and what may be commanded from there."""

    url: Annotated[
        str,
        typer.Argument(
            metavar="BROKER", help="mqtt://host[:1883] or mqtts://host[:8883], with user@ if any."
        ),
    ]
    password_file: Annotated[
        Path | None, typer.Option(help=f"File with the password; else {_PASSWORD}.")
    ] = None
    ca: CaOption = None
    cert: CertOption = None
    key: KeyOption = None
    protocol: Annotated[Literal["5", "3.1.1"], typer.Option(help="Version of MQTT.")] = "5"
    prefix: Annotated[
        str, typer.Option(help="First level of all topics."), Text(_read_prefix, "mirante")
    ] = "mirante"
    discovery: Annotated[
        str,
        typer.Option(help="Home Assistant's discovery prefix; empty: announce nothing."),
        Text(_read_discovery, "homeassistant"),
    ] = "homeassistant"
    every_s: Annotated[
        float, typer.Option("--every", help="Seconds between looks at states.", min=0.1, max=60)
    ] = 1.0
    snapshot_s: Annotated[
        float, typer.Option("--snapshot", help="Seconds between images; 0: none.", min=0)
    ] = 30.0
    detections_fps: Annotated[
        float,
        typer.Option(
            "--detections", help="Frames a second with all boxes; 0: none.", min=0, max=10
        ),
    ] = 0.0
    onvif: Annotated[
        bool,
        typer.Option(
            "--onvif", help="Also as ONVIF has it: onvif-ej; with --detections onvif-mj; onvif-mx."
        ),
    ] = False
    expire_s: Annotated[
        int,
        typer.Option(
            "--expire", help="Seconds that an event waits (MQTT 5).", min=1, max=2**32 - 1
        ),
    ] = 86_400
    classes: Annotated[
        tuple[str, ...],
        typer.Option("--class", help="Class to count; repeatable; default: each that is seen."),
        Texts(tuple),
    ] = ()
    commands: Annotated[
        Role, typer.Option(help="Obey …/set as that role may; none: no commands.")
    ] = "none"

    @property
    def is_tls(self) -> bool:
        """True where the connection is encrypted."""
        return self.url.lower().startswith("mqtts://")

    def place(self) -> tuple[str, int]:
        """Return host and port.

        Raises:
            ValueError: the address cannot be read, or files of TLS are named without it.
        """
        try:
            split = urlsplit(self.url)
            host, port = split.hostname, split.port
        except ValueError:
            host, port, split = None, None, urlsplit("")
        rest = split.path.strip("/") + split.query + split.fragment
        if split.scheme not in _PORTS or not host or rest:
            raise ValueError(f"BROKER: expected mqtt://host:port or mqtts://…, got {self.shown!r}")
        wanted = "" if self.is_tls else f"an address mqtts:// with it, got {self.shown}"
        check_tls_files(self.ca, self.cert, self.key, wanted=wanted)
        return host, port or _PORTS[split.scheme]

    @property
    def shown(self) -> str:
        """The address without user and password."""
        scheme, mark, rest = self.url.partition("://") if "://" in self.url else ("", "", self.url)
        return f"{scheme}{mark}{rest.rpartition('@')[2]}"

    def login(self) -> tuple[str | None, str | None]:
        """Return user and password.

        Raises:
            ValueError: the password's file cannot be read, or there is no user for it.
        """
        split = urlsplit(self.url)
        password = split.password and unquote(split.password)
        if self.password_file is not None:
            if split.username is None:
                raise ValueError(
                    f"--password-file: expected a user with it, mqtt://USER@…, got {self.shown}"
                )
            try:
                password = self.password_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"--password-file: {self.password_file}: {error}") from None
        user = split.username and unquote(split.username)
        return user, password or os.environ.get(_PASSWORD)
