"""Initialise a new network's weights."""

from __future__ import annotations

from engines.manifest import find
from engines.store.models import resolve_file
from training.datasets import DatasetError
from training.nets.unet import UNet
from training.nets.yolo import Yolo
from training.recipes.backbone import imagenet_weights
from training.recipes.export import stored_weights


def begin(network: Yolo | UNet, start: str, labels: tuple[str, ...], head: str) -> None:
    """Gives a new network the weights to start from.

    Args:
        network: of ``len(labels)`` classes or planes.
        start: ``imagenet``, ``nothing``, or a zoo model or manifest of the same kind.
        labels: whose part of the head is taken over from the start where it knows them.
        head: what the names of the layers have in them of which each label has a row.

    Raises:
        DatasetError: the start is a network of another kind.
        ManifestError: there is no such model.
        ModelUnavailableError: its file, or ImageNet's, is not available anywhere.
    """
    if start == "nothing":
        return
    if start == "imagenet":
        network.backbone.load_imagenet(imagenet_weights())
        return
    manifest = find(start)
    stored = stored_weights(resolve_file(manifest))
    state = network.state_dict()
    for name, new in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        old, from_axis = stored.get(name), 1 if head in name else 0  # rows of the head may differ
        if old is None or old.shape[from_axis:] != new.shape[from_axis:]:
            kind = type(network).__name__
            raise DatasetError(f"start {start}: expected a model that is a {kind} of the same size")
        if head not in name:
            new.copy_(old)
            continue
        for row, label in enumerate(labels):
            if label in manifest.labels:
                new[row] = old[manifest.labels.index(label)]
    network.load_state_dict(state)
    network.backbone.pretrained = True
