"""The NVIDIA GPUs of this machine that workers are started for."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

import pynvml

VISIBLE = "CUDA_VISIBLE_DEVICES"
ALL = "all"


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU.

    Attributes:
        number: among those of this machine, or among those that CUDA_VISIBLE_DEVICES leaves.
        device: what CUDA_VISIBLE_DEVICES calls it, a UUID where the driver said one: CUDA and the
            driver number them differently.
    """

    number: int
    device: str


def chosen_gpus(text: str) -> list[Gpu]:
    """Return the GPUs that ``--gpus`` names: ``all``, or numbers as ``0,2``.

    Raises:
        ValueError: it names none, one that is not there, or one twice.
    """
    if text != ALL and not re.fullmatch(r"\d{1,4}(,\d{1,4})*", text, re.ASCII):
        raise ValueError(f'--gpus: expected all, or numbers such as 0,2, got "{text}"')
    devices = _devices()
    if not devices:
        where = f"{VISIBLE} leaves none" if VISIBLE in os.environ else "nvidia-smi lists none"
        raise ValueError(
            f"--gpus: {text} — this machine has no NVIDIA GPU that it may use: {where}"
        )
    numbers = list(range(len(devices))) if text == ALL else [int(n) for n in text.split(",")]
    for number in numbers:
        if number >= len(devices):
            there = "0" if len(devices) == 1 else f"0 to {len(devices) - 1}"
            raise ValueError(f"--gpus: {number} — expected one of this machine's GPUs, {there}")
        if numbers.count(number) > 1:
            raise ValueError(f"--gpus: {text} — {number} is there twice; expected each once")
    return [Gpu(number, devices[number]) for number in numbers]


def _devices() -> list[str]:
    """Return what CUDA_VISIBLE_DEVICES calls each GPU that this process may use."""
    if (visible := os.environ.get(VISIBLE)) is not None:
        named = [each.strip() for each in visible.split(",")]
        return [each for each in named if each and each != "-1"]
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        return [str(pynvml.nvmlDeviceGetUUID(handle)) for handle in handles]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()
