"""A simulated GPU with an engine, and what the host finds in the inputs that its kernels make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engines.cuda.fill import fill, fill_region, slot_of, slot_of_region
from engines.fit import thresholds
from engines.inference import Inference, View
from engines.manifest import Manifest
from engines.model import Model
from engines.placement import Region
from engines.runtimes.tensorrt.cuda import Cuda
from engines.runtimes.tensorrt.session import TensorrtSession
from tests.support.host_kernels import Host
from tests.support.lane_networks import SIZE, GpuFrame
from tests.support.onnx_networks import run_by
from tests.support.simulated_driver import SimulatedDriver
from tests.support.tensorrt_sessions import Bench

FLOAT = np.dtype(np.float32)


@dataclass
class Place:
    """A GPU with an engine, and what was opened there."""

    bench: Bench
    driver: SimulatedDriver
    host: Host
    frames: list[GpuFrame] = field(default_factory=list)
    sessions: list[TensorrtSession] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.network = run_by(str(self.bench.network))
        self.names = [value.name for value in self.network.get_outputs()]

    def session(self, index: int = 0) -> TensorrtSession:
        self.sessions.append(self.bench.open(self.driver, index))
        return self.sessions[-1]

    def frame(self, size: tuple[int, int], seed: int = 1, **keys: Any) -> GpuFrame:
        index = keys.pop("index", 0)
        self.frames.append(GpuFrame(Cuda(self.bench.cuda, index), size, seed, **keys))
        return self.frames[-1]

    def expected(
        self, model: Model, frame: GpuFrame, region: Region | None = None, index: int | None = None
    ) -> list[Inference]:
        """Return what the host finds in the tensor that the kernel makes of a frame."""
        spec = model.manifest.input
        tensor = np.zeros((1, 3, *SIZE[::-1]), np.float32)
        at = tensor.ctypes.data
        if region is None:
            slot, where = slot_of(spec, FLOAT, frame.size, at)
            self.host.run(fill(frame.planes, slot))
        else:
            slot, where = slot_of_region(spec, FLOAT, frame.size, region, at)
            self.host.run(fill_region(frame.planes, slot, region))
        outputs = dict(
            zip(self.names, self.network.run(self.names, {"images": tensor}), strict=True)
        )
        view = View(model.labels, model.name, where, (1, 1), frame.size, index)
        return [head.decode(outputs, where.size).to_source(view) for head in model.heads]

    def close(self) -> None:
        for session in self.sessions:
            session.close()
        for frame in self.frames:
            frame.free()


def model_of(manifest: Manifest, session: Any, on: str | None = None) -> Model:
    return Model(manifest, session, thresholds(manifest, None), on)


def same(one: Inference, other: Inference, least: int = 1) -> None:
    a, b = one.detections, other.detections
    for name in ("xyxy", "score", "class_id"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    assert len(one.masks) == len(other.masks)
    for mine, theirs in zip(one.masks, other.masks, strict=True):
        assert (mine.labels, mine.width, mine.xyxy) == (theirs.labels, theirs.width, theirs.xyxy)
        np.testing.assert_array_equal(mine.bits, theirs.bits)
        assert 0 < np.unpackbits(mine.bits).mean() < 1
    assert len(a) + len(one.masks) >= least
