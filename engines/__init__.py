"""Models: manifest, store, runtimes, pre- and post-processing."""

import os
from typing import TYPE_CHECKING, Any

# ONNX Runtime reports its use to its maker unless told not to, before it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from engines.inference import Inference
    from engines.manifest import Manifest, ManifestError
    from engines.model import Model, load
    from engines.names import UnknownNameError
    from engines.runtimes import threads_per_session
    from engines.store.models import ModelUnavailableError

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

_LAZY = {  # one of its modules must not load all that runs models
    "Inference": "engines.inference",
    "Manifest": "engines.manifest",
    "ManifestError": "engines.manifest",
    "Model": "engines.model",
    "ModelUnavailableError": "engines.store.models",
    "UnknownNameError": "engines.names",
    "load": "engines.model",
    "threads_per_session": "engines.runtimes",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'engines' has no attribute {name!r}")
