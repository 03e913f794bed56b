"""TensorRT's measurements of its kernels, kept from build to build.

TensorRT builds by running kernels on the GPU and taking the fastest: minutes for a large network.
What it measured holds for layers of the same shape in any network, on the same model of GPU with
the same version of the library, which both stand in the file's name. TensorRT-RTX measures nothing.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from engines.files import read_checked, write_checked
from engines.runtimes.tensorrt.cuda import Gpu
from engines.store.engines import locked, shelf

log = logging.getLogger(__name__)


def timings_of(version: str, gpu: Gpu) -> Path:
    """Return the file for a version of TensorRT on a GPU: ``$MIRANTE_HOME/engines/.timings/…``."""
    name = re.sub(r"[^\w.]+", "-", f"{version} {gpu.architecture} {gpu.name}")
    return shelf() / ".timings" / name


class Timings:
    """The measurements of one build, begun with those of earlier ones.

    Args:
        config: of the build.
        path: where they are kept.
    """

    def __init__(self, config: Any, path: Path) -> None:
        self._config, self._path = config, path
        kept = read_checked(path) or b""
        # The second says that those of another GPU or version are refused; they are made anew then.
        if not config.set_timing_cache(config.create_timing_cache(kept), False):
            log.info("%s: of another GPU or version, not used", path)
            config.set_timing_cache(config.create_timing_cache(b""), False)

    def keep(self) -> None:
        """Write them, with what another process wrote meanwhile."""
        cache = self._config.get_timing_cache()
        try:
            with locked(self._path.name, self._path.parent):
                if others := read_checked(self._path):
                    cache.combine(self._config.create_timing_cache(others), False)
                write_checked(self._path, bytes(cache.serialize()))
        except OSError as error:
            log.warning("%s: not kept, the next build measures again: %s", self._path, error)
