"""The training loop: the same for every network, resumed to the step, seeded."""

from __future__ import annotations

import contextlib
import copy
import logging
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from training.recipes.checkpoint import (
    Checkpoint,
    TrainingError,
    stopping,
    weights_fingerprint,
)

log = logging.getLogger(__name__)

Loss = Callable[[nn.Module, Any], Mapping[str, Tensor]]
SAY_EVERY_S = 60.0
FROZEN_BLOCKS = 5  # edges and colours as ImageNet taught them; and these maps are the dearest


@dataclass(frozen=True, slots=True)
class Plan:
    """The schedule of training.

    Attributes:
        views: images shown in all.
        batch: images a step.
        rate: peak learning rate of new layers.
        backbone_rate: of the pretrained ones; 0 leaves the backbone as it is, twice as fast.
        warmup: steps until the peak, a fifth of all at most.
        decay: weight decay of AdamW (Loshchilov & Hutter 2019), on kernels only.
        ema: of the moving average of the weights that is kept, scored and exported.
        clip: longest gradient.
        coarse: share of the views, the first, that are four fifths as wide: shapes are learnt
            first, details last, and small views are cheaper (progressive resizing).
        seed: of the new layers and of all views.
        every: steps between checkpoints.
        workers: processes that prepare views; 0 is none.
    """

    views: int
    batch: int = 16
    rate: float = 2e-3
    backbone_rate: float = 4e-4
    warmup: int = 200
    decay: float = 0.02
    ema: float = 0.998
    clip: float = 10.0
    coarse: float = 0.0
    seed: int = 0
    every: int = 250
    workers: int = 1

    @property
    def steps(self) -> int:
        """Steps in all."""
        return math.ceil(self.views / self.batch)

    def decides(self) -> dict[str, Any]:
        """The fields that change what is learnt."""
        free = ("every", "workers")
        return {name: value for name, value in asdict(self).items() if name not in free}


def train(
    network: nn.Module,
    views: Dataset[Any],
    collate: Callable[..., Any],
    loss: Loss,
    plan: Plan,
    about: Mapping[str, Any],
    folder: Path,
    device: torch.device,
) -> nn.Module:
    """Trains and returns the averaged network, on ``device``.

    ``folder/last.pt`` holds all that the next call needs to resume, to the same result; it does so
    if it is there. It is written every ``plan.every`` steps, every minute, and at Ctrl-C.

    Args:
        network: on the CPU; its ``backbone``, where it has one, learns more slowly.
        views: any number from 0 gives a view.
        collate: views to a batch.
        loss: of the network and a batch on the CPU: terms to be summed.
        plan: how long and how fast.
        about: what is learnt, in words and numbers: a checkpoint about something else is refused.
        folder: for checkpoints.
        device: where to train.

    Raises:
        TrainingError: the loss is not finite, or the checkpoint is about something else.
        KeyboardInterrupt: at Ctrl-C, after the step is done and kept.
    """
    about = {**about, **plan.decides(), "weights at the start": weights_fingerprint(network)}
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(_groups(network, plan))
    checkpoint = Checkpoint(folder / "last.pt", about, network, mean, optimizer)
    start = checkpoint.resume()
    progress = Progress(plan, start)
    with stopping() as stop:
        for step, batch in enumerate(_batches(views, collate, plan, start), start):
            _train_mode(network)
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * schedule(step, plan)
            with lean(device):
                terms = loss(network, batch)
            total = sum(terms.values(), torch.zeros((), device=device))
            if not torch.isfinite(total):
                raise TrainingError(f"step {step}: the loss is {total.item()}; try a lower rate")
            optimizer.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), plan.clip)
            optimizer.step()
            _average(mean, network, min(plan.ema, (1 + step) / (10 + step)))
            if progress.count(step + 1, terms) or stop.is_set():
                checkpoint.save(step + 1)
            if stop.is_set():
                log.info("saved at step %d; the same command resumes there", step + 1)
                raise KeyboardInterrupt
    return mean


class Progress:
    """Says how training goes, every ``plan.every`` steps and every minute.

    Args:
        plan: that is followed.
        start: steps done before.
    """

    def __init__(self, plan: Plan, start: int) -> None:
        self._plan = plan
        self._since, self._shown = time.monotonic(), start
        self._sums: dict[str, float] = {}

    def count(self, done: int, terms: Mapping[str, Tensor]) -> bool:
        """Takes a step's losses; whether it was time to say something, and to keep it."""
        for name, term in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + term.item()
        plan, seconds = self._plan, time.monotonic() - self._since
        if done % plan.every and done != plan.steps and seconds < SAY_EVERY_S:
            return False
        steps = done - self._shown
        words = " ".join(f"{name} {value / steps:.3f}" for name, value in self._sums.items())
        left_min = seconds / steps * (plan.steps - done) / 60
        log.info(
            "step %d of %d: %s, %.1f views/s, %.0f min left",
            *(done, plan.steps, words, steps * plan.batch / seconds, left_min),
        )
        self._since, self._shown, self._sums = time.monotonic(), done, {}
        return True


def schedule(step: int, plan: Plan) -> float:
    """Share of the peak learning rate: up a ramp, then down a cosine to a hundredth."""
    ramp = min(plan.warmup, plan.steps // 5)
    if step < ramp:
        return (step + 1) / ramp
    done = (step - ramp) / (plan.steps - ramp)
    return 0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2


def lean(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Half-precision arithmetic where the hardware has it (bfloat16), full elsewhere."""
    if device.type == "cuda":
        ready = torch.cuda.is_bf16_supported(including_emulation=False)
    elif torch.cpu._is_avx512_supported():
        # oneDNN emulates it on processors with AVX-512 that lack it, slower than in full precision.
        ready = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    else:
        onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        ready = onednn and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16) if ready else contextlib.nullcontext()


def _batches(
    views: Dataset[Any], collate: Callable[..., Any], plan: Plan, start: int
) -> Iterator[Any]:
    numbers = [
        list(range(step * plan.batch, (step + 1) * plan.batch)) for step in range(start, plan.steps)
    ]
    return iter(
        DataLoader(
            views,
            batch_sampler=numbers,
            collate_fn=collate,
            num_workers=plan.workers,
            worker_init_fn=_leave_interrupts,
        )
    )


def _leave_interrupts(_worker: int) -> None:
    """Ctrl-C reaches every process; the one that trains decides when to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _groups(network: nn.Module, plan: Plan) -> list[dict[str, Any]]:
    """Parameters by learning rate and decay; a pretrained backbone's first blocks stay as is."""
    backbone = _pretrained(network)
    if backbone is not None:
        still = backbone.features[:FROZEN_BLOCKS] if plan.backbone_rate else backbone
        still.requires_grad_(False)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            known = backbone is not None and name.startswith("backbone.")
            rate = plan.backbone_rate if known else plan.rate
            decay = plan.decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    return [
        {"params": found, "lr": rate, "peak": rate, "weight_decay": decay}
        for (rate, decay), found in groups.items()
    ]


def _train_mode(network: nn.Module) -> None:
    """Batches are too small to measure a pretrained backbone's activations: its norms stay."""
    network.train()
    if (backbone := _pretrained(network)) is not None:
        for module in backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def _pretrained(network: nn.Module) -> Any:
    """The backbone, where it has one whose weights are not new."""
    backbone = getattr(network, "backbone", None)
    return backbone if getattr(backbone, "pretrained", False) else None


@torch.no_grad()
def _average(mean: nn.Module, network: nn.Module, keep: float) -> None:
    """mean = keep * mean + (1 - keep) * network, counters copied."""
    for old, new in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1 - keep)
        else:
            old.copy_(new)
