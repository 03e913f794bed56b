"""The configuration of what is sent to OpenTelemetry."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from pipeline.config.section import Section

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # of a field of HTTP, RFC 9110
_EXPECTED = "expected http://host:port or https://host:port, where /v1/traces and /v1/metrics are"


class Telemetry(Section):
    """Traces of sampled frames, and metrics, by OpenTelemetry's protocol over HTTP."""

    enabled: bool | None = Field(
        None, description="send traces and metrics; null: where endpoint is set"
    )
    endpoint: str | None = Field(
        None,
        description="address of a collector, such as http://localhost:4318; null: "
        "OTEL_EXPORTER_OTLP_ENDPOINT, else that one",
    )
    headers: dict[str, SecretStr] = Field(
        {}, description="sent with each request, such as authorization; best written ${OTLP_TOKEN}"
    )
    ratio: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of the analysed frames that are traced; null: as OTEL_TRACES_SAMPLER "
        "says, else 0.01",
    )
    interval_s: float | None = Field(
        None,
        ge=1,
        le=3600,
        description="seconds between two reports of metrics; null: OTEL_METRIC_EXPORT_INTERVAL, "
        "else 60",
    )
    service_name: str | None = Field(
        None, min_length=1, description="service.name; null: OTEL_SERVICE_NAME, else mirante"
    )

    @field_validator("endpoint")
    @classmethod
    def _address(cls, endpoint: str | None) -> str | None:
        if endpoint is None:
            return None
        try:
            split = urlsplit(endpoint)
            _ = split.port
        except ValueError:
            raise ValueError(_EXPECTED) from None
        if split.scheme not in {"http", "https"} or not split.hostname:
            raise ValueError(_EXPECTED)
        if split.username is not None or split.query or split.fragment:
            raise ValueError("expected no login, query or fragment; a login goes into headers")
        if re.search(r"/v1/\w+/?$", split.path):
            raise ValueError("expected the address without /v1/traces or /v1/metrics")
        return endpoint.rstrip("/")

    @field_validator("headers")
    @classmethod
    def _fields(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f'expected names of HTTP fields, got "{name}"')
            if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value.get_secret_value()):
                raise ValueError(f"{name}: expected printable ASCII, without blanks around it")
        return headers

    @property
    def is_on(self) -> bool:
        """True where it was asked for, and OTEL_SDK_DISABLED does not say otherwise."""
        wanted = self.endpoint is not None if self.enabled is None else self.enabled
        return wanted and os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"
