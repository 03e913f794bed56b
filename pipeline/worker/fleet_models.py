"""The models of a worker's cameras that travel, fetched while the others run."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable

from mirante.backoff import Backoff
from mirante.redis_url import RedisUrl
from pipeline.config.camera import Camera
from pipeline.config.fleet import Fleet
from pipeline.control.blob_places import BlobError, BlobPlace, BucketBlobs, RedisBlobs
from pipeline.control.blob_store import BlobStore
from pipeline.control.carried_models import Pinned, pinned

log = logging.getLogger(__name__)

REDIS_S = 5.0  # for a piece of a model
CLOSE_S = 2.0  # for threads to end
PAUSE_S = (2.0, 60.0)  # before a place that does not answer is asked again


def carried_models(fleet: Fleet, url: RedisUrl) -> FleetModels:
    """Return what fetches models for a worker: from the bucket, where there is one, and Redis.

    Raises:
        BlobError: the client library of the bucket is not installed.
    """
    bucket: list[BlobPlace] = [] if fleet.models_s3 is None else [BucketBlobs(fleet.models_s3)]
    client = url.shaped_client(REDIS_S)
    return FleetModels([*bucket, RedisBlobs(client, url.explain)], fleet.max_bytes)


class FleetModels:
    """Fetches models in the background, one thread at a time for each.

    Args:
        places: where they are.
        max_bytes: maximum size of all on this machine.
    """

    def __init__(self, places: list[BlobPlace], max_bytes: int) -> None:
        self._closing = threading.Event()
        self._store = BlobStore(places, max_bytes, self._closing.is_set)
        self._lock = threading.Lock()
        self._threads: dict[str, threading.Thread] = {}
        self._failures: dict[str, str] = {}

    def placed(self, camera: Camera, wait_s: float = 0.0) -> Camera | None:
        """Return the camera with the path of its manifest for each model that travels.

        Args:
            camera: with its stages.
            wait_s: how long to wait for those that are not here; they are fetched all the same.

        Returns:
            None while one of them is being fetched.

        Raises:
            ValueError: one cannot be had; in words.
        """
        wanted = {use.name: pin for use in camera.models() if (pin := pinned(use.name))}
        if not wanted:
            return camera
        until_s, paths = time.monotonic() + wait_s, {}
        for name, pin in wanted.items():
            if (path := self._path(pin, max(0.0, until_s - time.monotonic()))) is None:
                return None
            paths[name] = path
        stages = [each.with_models(lambda m: paths.get(m, m)) for each in camera.stages or ()]
        return camera.model_copy(update={"stages": stages})

    def keep_only(self, cameras: Iterable[Camera]) -> None:
        """Let models that none of these cameras runs go when room is needed."""
        names = [use.name for camera in cameras for use in camera.models()]
        with self._lock:
            self._store.release({pin.digest for name in names if (pin := pinned(name))})

    def close(self) -> None:
        """Give up what is being fetched: results wait to be sent, and hours may be left of a file.
        A place that is silent, or another process that fetches, is not waited for.
        """
        self._closing.set()
        until_s = time.monotonic() + CLOSE_S
        for thread in list(self._threads.values()):
            thread.join(max(0.0, until_s - time.monotonic()))
        self._store.close()

    def _path(self, pin: Pinned, wait_s: float) -> str | None:
        with self._lock:
            if (path := self._store.find(pin)) is not None:
                return str(path)
            if words := self._failures.pop(pin.digest, ""):
                raise ValueError(f"model {pin.name}: {words}")
            thread = self._threads.get(pin.digest)
            if thread is None or not thread.is_alive():
                thread = threading.Thread(
                    target=self._fetch, args=(pin,), name=f"fetch-{pin.name}", daemon=True
                )
                self._threads[pin.digest] = thread
                thread.start()
        if not wait_s:
            return None
        thread.join(wait_s)
        return None if thread.is_alive() else self._path(pin, 0.0)

    def _fetch(self, pin: Pinned) -> None:
        backoff = Backoff(*PAUSE_S)
        while not self._closing.is_set():
            try:
                self._store.fetch(pin)
            except BlobError as error:
                if not error.is_away:
                    self._failures[pin.digest] = str(error)
                    return
                if self._closing.is_set():
                    return
                log.warning("model %s is not fetched yet: %s", pin.name, error)
            except OSError as error:
                self._failures[pin.digest] = f"{error.filename or 'store'}: {error.strerror}"
                return
            else:
                log.info("model %s: fetched", pin.name)
                return
            self._closing.wait(backoff.next_s())
