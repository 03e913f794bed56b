"""Runtimes that are wrong on purpose: ONNX Runtime, and some tensors of other values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.inspect.basic import BasicSession
from engines.runtimes import Tensors

FROM = "/network/backbone/features.5/conv/conv.0/Conv_output_0"  # a layer of street


class Wrong(BasicSession):
    """Adds a tenth to some tensors, whose names come in the order of the layers."""

    wrong: tuple[str, ...] = (FROM, "output")

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        found = super().run(feeds)
        for name in self.wrong:
            if name in found:
                found[name] = found[name] * np.float32(1.1)
        return found


class WrongWhenFused(Wrong):
    """Is right as soon as more tensors are looked at than one beside the output."""

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        return super().run(feeds) if len(self.outputs) <= 2 else BasicSession.run(self, feeds)
