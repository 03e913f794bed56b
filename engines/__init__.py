"""Models: manifest, store, runtimes, pre- and post-processing."""

import os

# ONNX Runtime reports its use to its maker unless told not to, before it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from engines.manifest import Manifest, ManifestError
from engines.model import Inference, Model, load
from engines.registry import UnknownNameError
from engines.runtimes import threads_per_session
from engines.store import ModelUnavailableError

__all__ = [
    "Inference",
    "Manifest",
    "ManifestError",
    "Model",
    "ModelUnavailableError",
    "UnknownNameError",
    "load",
    "threads_per_session",
]
