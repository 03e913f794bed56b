"""Address and secret of the dashboard whose links to images are sent to others."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from pipeline.config.section import Section

LONGEST_H = 720.0
SECRET_LENGTH = 16


def check_secret(secret: SecretStr) -> str:
    """Return what a secret says.

    Raises:
        ValueError: it is so short that it may be guessed.
    """
    if len(secret.get_secret_value()) < SECRET_LENGTH:
        raise ValueError(f"expected {SECRET_LENGTH} characters or more")
    return secret.get_secret_value()


class ImageLinks(Section):
    """Links to images of events, which open without a login until they expire."""

    dashboard: str = Field(
        description="address by which receivers reach the dashboard, such as https://cams.example"
    )
    secret: SecretStr = Field(description="signs the links; the dashboard's link_secret")
    hours: float = Field(24.0, gt=0, le=LONGEST_H, description="hours for which a link opens")

    @field_validator("secret")
    @classmethod
    def _long(cls, secret: SecretStr) -> SecretStr:
        check_secret(secret)
        return secret

    @field_validator("dashboard")
    @classmethod
    def _address(cls, dashboard: str) -> str:
        parts = urlsplit(dashboard)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
            raise ValueError("expected http://host or https://host")
        return dashboard.rstrip("/")
