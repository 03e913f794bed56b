"""Traces of sampled frames and metrics by OpenTelemetry; loaded only where they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.config.settings import Settings

if TYPE_CHECKING:
    from pipeline.worker.telemetry.sender import Telemetry

INSTALLED_BY = "pip install 'mirante[telemetry]'"


class TelemetryError(ValueError):
    """It is asked for and cannot be had; in words."""


def telemetry_of(settings: Settings) -> Telemetry | None:
    """Return what sends a worker's traces and metrics; None where it is off.

    Raises:
        TelemetryError: what it needs is not installed.
    """
    telemetry = settings.telemetry
    if not telemetry.is_on:
        return None
    try:
        from pipeline.worker.telemetry.sender import Telemetry

        return Telemetry(telemetry, settings.worker)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"opentelemetry", "requests"}:
            raise
        key = "enabled" if telemetry.endpoint is None else "endpoint"
        raise TelemetryError(
            f"telemetry.{key}: {getattr(telemetry, key)} — {error.name} is not installed; "
            f"expected it to be: {INSTALLED_BY}"
        ) from None
