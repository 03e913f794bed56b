"""Options of ``mirante bridge kafka``, and librdkafka's properties that follow from them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from bridges.item_kinds import KindsOption
from bridges.tls_files import CaOption, CertOption, KeyOption, check_tls_files
from engines.commands import Texts

PASSWORD = "MIRANTE_KAFKA_PASSWORD"  # noqa: S105 # the name of the variable
# Of librdkafka, whose properties have several names: what the bridge's promises rest on.
_OWN = frozenset(
    {
        *("enable.idempotence", "acks", "request.required.acks"),
        *("message.timeout.ms", "delivery.timeout.ms", "message.send.max.retries", "retries"),
        *("bootstrap.servers", "metadata.broker.list"),
    }
)
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
Security = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
_TLS = {
    "--ca": "ssl.ca.location",
    "--cert": "ssl.certificate.location",
    "--key": "ssl.key.location",
}


@dataclass(frozen=True, kw_only=True)
class Kafka:
    """Which brokers, which topics, and how to get in.

    Attributes:
        servers: some brokers' addresses; they name the others.
        properties: further ones of librdkafka, ``name=value``.
    """

    servers: Annotated[str, typer.Argument(metavar="HOST:PORT,…", help="Some of the brokers.")]
    topic: Annotated[
        str, typer.Option(help="Topic; {kind} and {camera} stand for those of an entry.")
    ] = "mirante.{kind}"
    kinds: KindsOption = ("events",)
    security: Annotated[Security, typer.Option(help="How brokers are talked to.")] = "plaintext"
    ca: CaOption = None
    cert: CertOption = None
    key: KeyOption = None
    sasl: Annotated[Mechanism, typer.Option(help="How a user logs in.")] = "SCRAM-SHA-512"
    user: Annotated[
        str | None, typer.Option(help=f"To log in as; the password is in {PASSWORD}.")
    ] = None
    compression: Annotated[
        Literal["none", "gzip", "snappy", "lz4", "zstd"], typer.Option(help="Of batches.")
    ] = "lz4"
    properties: Annotated[
        tuple[str, ...],
        typer.Option("--property", metavar="NAME=VALUE", help="Of librdkafka; repeatable."),
        Texts(tuple),
    ] = ()

    def __post_init__(self) -> None:
        topic_of(self.topic, "events", "camera")


def topic_of(pattern: str, kind: str, camera: str) -> str:
    """Return the topic of an entry.

    Raises:
        ValueError: Kafka has no topic of such a name.
    """
    topic = pattern.replace("{kind}", kind).replace("{camera}", camera)
    if not _TOPIC.fullmatch(topic) or topic in {".", ".."}:
        raise ValueError(
            "--topic: expected up to 249 letters, digits, '.', '_', '-', and {kind} or {camera}, "
            f"got {pattern!r}"
        )
    return topic


def properties_of(options: Kafka) -> dict[str, Any]:
    """Return the configuration of the producer.

    Raises:
        ValueError: an option is not as it should be.
    """
    made: dict[str, Any] = {
        "bootstrap.servers": options.servers,
        "client.id": "mirante",
        "security.protocol": options.security,
        "compression.type": options.compression,
        # Acknowledged by all replicas, in order and once, however often a batch is sent.
        "enable.idempotence": True,
        "acks": "all",
        # Nothing is given up here: the bridge waits, and Redis keeps what it has not taken.
        "message.timeout.ms": 0,
        "linger.ms": 5,
        "log_level": 2,  # each attempt in vain is an error to librdkafka; the bridge says it once
        "reconnect.backoff.max.ms": 5000,
    }
    made |= _login(options) | _tls(options)
    for text in options.properties:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise ValueError(f"--property: expected NAME=VALUE, got {text!r}")
        if name in _OWN:
            raise ValueError(f"--property: {name} is the bridge's own, got {text!r}")
        made[name] = value
    return made


def _login(options: Kafka) -> dict[str, Any]:
    is_sasl = options.security.startswith("sasl")
    password = os.environ.get(PASSWORD)
    if is_sasl and not (options.user and password):
        raise ValueError(
            f"--security {options.security}: expected --user, and a password in {PASSWORD}"
        )
    if not is_sasl and options.user:
        raise ValueError(
            f"--user: expected --security sasl_ssl or sasl_plaintext with it, got "
            f"{options.security}"
        )
    if not is_sasl:
        return {}
    login = {"sasl.username": options.user, "sasl.password": password}
    return {"sasl.mechanisms": options.sasl, **login}


def _tls(options: Kafka) -> dict[str, Any]:
    is_tls = options.security.endswith("ssl")
    wanted = "" if is_tls else f"--security ssl or sasl_ssl with it, got {options.security}"
    given = check_tls_files(options.ca, options.cert, options.key, wanted=wanted)
    if "--cert" in given:  # a file may hold both
        given.setdefault("--key", given["--cert"])
    return {_TLS[option]: str(path) for option, path in given.items()}
