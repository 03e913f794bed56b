"""Verdicts on which engine is fastest on this machine: ``$MIRANTE_HOME/verdicts/<key>.json``."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from engines.files import write_whole
from engines.store.models import store

log = logging.getLogger(__name__)


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One way to run a model.

    Attributes:
        runtime: what executes it.
        precision: of the engine; ``as published`` of the model's own file.
        ms: processor time of a frame in milliseconds, the median; None where it cannot run here,
            or disagrees with the model.
        engine: its key in the store of engines; None for the model's own file.
        words: why it cannot run.
    """

    runtime: str
    precision: str
    ms: float | None = None
    engine: str | None = None
    words: str = ""

    @property
    def name(self) -> str:
        """Runtime and precision in words."""
        return f"{self.runtime} {self.precision}"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison of the ways to run a model.

    Attributes:
        model: its name.
        facts: all that it depends on; when one of them changes, it no longer holds.
        measured: the model's own file first.
        fastest: the place in ``measured`` of what shall run.
        at: when, in ISO 8601.
    """

    model: str
    facts: dict[str, Any]
    measured: tuple[Measured, ...]
    fastest: int
    at: str

    @property
    def winner(self) -> Measured:
        """What shall run."""
        return self.measured[self.fastest]

    def words(self) -> str:
        """Return what a frame costs in each way that runs, the cheapest first."""
        ran = sorted(
            ((each.ms, each.name) for each in self.measured if each.ms is not None),
        )
        return ", ".join(f"{name} {ms:.1f} ms" for ms, name in ran)


_read_verdict = msgspec.json.Decoder(Verdict)


def key_of(model: str, facts: Mapping[str, Any]) -> str:
    """Return the name of a verdict in the store."""
    text = json.dumps(facts, sort_keys=True)
    return f"{model}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def get(key: str) -> Verdict | None:
    """Return the verdict of that key; None where there is none that can be read."""
    path = _path(key)
    try:
        verdict = _read_verdict.decode(path.read_bytes())
        verdict.winner  # noqa: B018 there is one
    except FileNotFoundError:
        return None
    except (OSError, ValueError, IndexError) as error:
        log.warning("%s: not used, it is measured again: %s", path, error)
        return None
    return verdict


def keep(key: str, verdict: Verdict) -> None:
    """Keep a verdict.

    Raises:
        OSError: the store cannot be written.
    """
    write_whole(_path(key), msgspec.json.format(msgspec.json.encode(verdict), indent=1) + b"\n")


def _path(key: str) -> Path:
    return store().with_name("verdicts") / f"{key}.json"
