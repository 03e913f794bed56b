from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.manifest import Manifest, find, zoo_names
from engines.model import session_of
from engines.recognise import Recognised, RecogniseError, recognise
from engines.runtimes import TensorInfo, Tensors

COCO = find("yolox-nano").labels
AMBIGUOUS = {"road": ("argmax", "sigmoid")}  # three planes of logits: they may compete or not


class Gives:
    """A session with these outputs."""

    inputs: Mapping[str, TensorInfo] = {}

    def __init__(self, outputs: Mapping[str, NDArray[Any]]) -> None:
        self.given = dict(outputs)
        self.outputs: Mapping[str, TensorInfo] = {
            n: TensorInfo(a.shape, a.dtype) for n, a in self.given.items()
        }

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        assert not feeds
        return self.given


def auto(
    outputs: Mapping[str, NDArray[Any]],
    labels: int | None,
    size: tuple[int, int] = (96, 64),
    task: str | None = None,
    ops: Mapping[str, str] | None = None,
) -> Recognised:
    session = Gives(outputs)
    names = None if labels is None else tuple(f"l{i}" for i in range(labels))
    return recognise(session, size, names, task, session.run({}), ops)


def outputs_of(manifest: Manifest) -> tuple[Any, dict[str, NDArray[Any]]]:
    """The session of a model, and what it gives for noise."""
    session = session_of(manifest, threads=2)
    width, height = manifest.input.size
    nchw = manifest.input.layout == "nchw"
    shape = (1, 3, height, width) if nchw else (1, height, width, 3)
    picture = np.random.default_rng(0).integers(0, 255, shape) * manifest.input.scale
    feeds = {manifest.input.name: picture.astype(session.inputs[manifest.input.name].dtype)}
    for name in manifest.input.extra:
        feeds[name] = np.array([[width, height]], session.inputs[name].dtype)
    return session, session.run(feeds)


@pytest.mark.parametrize("name", zoo_names())
def test_every_model_of_the_zoo_is_recognised_or_its_ambiguity_told(
    name: str, weights: Path
) -> None:
    manifest = find(name)
    if manifest.file.endswith(".tflite"):
        pytest.importorskip("ai_edge_litert", reason="LiteRT runs .tflite")
    session, outputs = outputs_of(manifest)
    if name in AMBIGUOUS:
        with pytest.raises(RecogniseError, match="several fit") as caught:
            recognise(session, manifest.input.size, manifest.labels, manifest.task, outputs)
        assert all(f"\n  {decoder} {{" in str(caught.value) for decoder in AMBIGUOUS[name])
        assert str(caught.value).endswith("what settles it: decoder")
        return
    found = recognise(session, manifest.input.size, manifest.labels, manifest.task, outputs)
    assert (found.decoder, found.options) == (manifest.decoder, manifest.options)
    assert found.labels in (None, len(manifest.labels))
    assert (found.task, bool(found.reasons)) == (manifest.task, True)
