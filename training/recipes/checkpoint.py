"""Checkpoints from which training resumes exactly."""

from __future__ import annotations

import hashlib
import logging
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

log = logging.getLogger(__name__)


class TrainingError(RuntimeError):
    """Training cannot continue; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The state that changes while training, and its file.

    Attributes:
        path: of the file.
        about: what is learnt, by whom and how; a file about something else is refused.
        network: that learns.
        mean: its moving average.
        optimizer: with its moments.
    """

    path: Path
    about: Mapping[str, Any]
    network: nn.Module
    mean: nn.Module
    optimizer: torch.optim.Optimizer

    def save(self, step: int) -> None:
        """Writes beside, then renames: whenever the power goes, one whole file is there."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        state = {
            "about": dict(self.about),
            "step": step,
            "network": self.network.state_dict(),
            "mean": self.mean.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        part = self.path.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.path)

    def resume(self) -> int:
        """Take over what the file holds; returns the steps done, 0 where there is none.

        Raises:
            TrainingError: it is about something else.
        """
        if not self.path.is_file():
            return 0
        state = torch.load(self.path, map_location="cpu", weights_only=True)
        for key in {**self.about, **state["about"]}:
            there, asked = state["about"].get(key), self.about.get(key)
            if there != asked:
                raise TrainingError(
                    f"{self.path}: {key}: {there} was learnt, {asked} is asked; "
                    "remove that file, or choose another --out"
                )
        self.network.load_state_dict(state["network"])
        self.mean.load_state_dict(state["mean"])
        self.optimizer.load_state_dict(state["optimizer"])
        log.info("resumed %s at step %d", self.path, state["step"])
        return int(state["step"])


def fingerprint(*parts: bytes | str) -> str:
    """Twelve hexadecimal digits that differ where ``parts`` do."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:12]


def weights_fingerprint(network: nn.Module) -> str:
    """Return a fingerprint of the weights that training starts from."""
    return fingerprint(*(value.numpy().tobytes() for value in network.state_dict().values()))


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Ctrl-C sets the event, so that a step is never cut; a second one interrupts at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_interrupt(_signal: int, _frame: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
