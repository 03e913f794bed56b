"""Models swapped by hand in a running worker: asked for and kept in Redis, done by the worker."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import redis

from engines.manifest import find
from engines.serving import Models
from mirante.keys import kept_models_key

log = logging.getLogger(__name__)


class ModelSwaps:
    """The worker's side.

    Args:
        client: of Redis.
        worker: the worker's name.
        models: what it runs.
        on_swapped: notified of a model that was chosen by hand.
        blurred: the classes that must stay unrecognisable where a model looks.
    """

    def __init__(
        self,
        client: redis.Redis,
        worker: str,
        models: Models,
        on_swapped: Callable[[str], None],
        blurred: Callable[[str], set[str]] = lambda model: set(),
    ) -> None:
        self._client, self._worker, self._models = client, worker, models
        self._on_swapped, self._blurred = on_swapped, blurred

    def restore(self) -> None:
        """Restore swaps made before a restart, before the cameras start.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        kept = cast(Mapping[bytes, bytes], self._client.hgetall(kept_models_key(self._worker)))
        for field, value in kept.items():
            name, runs = field.decode("utf-8", "replace"), "another model"
            try:
                entry = json.loads(value)
                runs = entry["runs"]
                self._models.restore(name, runs, tuple(entry["before"]))
            except Exception as error:  # noqa: BLE001 the model that is configured runs instead
                log.error("model %s: %s, requested earlier: %s", name, runs, error)
                continue
            undo = f"mirante models rollback {name}"
            log.warning("model %s: %s, requested earlier; undo: %s", name, runs, undo)
            self._on_swapped(name)

    def swap(self, request: Mapping[str, Any]) -> bytes:
        """Does what ``ask_swap`` asks for; on a thread of its own, as loading takes seconds.

        Raises:
            Exception: whatever keeps the model from running; the old one runs on.
        """
        models = self._models
        name, to = self._in_full(request["model"]), request["to"]
        if to is not None:
            self._check_blur(name, to)
        words = f"{models.rollback(name)} runs again" if to is None else models.swap(name, to)
        log.info("model %s: %s: %s", name, "back" if to is None else f"swap for {to}", words)
        try:
            self._keep(name)
        except redis.RedisError as error:
            log.error("model %s: the swap holds until the worker ends: %s", name, error)
        return words.encode()

    def _check_blur(self, name: str, to: str) -> None:
        found, then = ({*each.box_labels, *each.mask_labels} for each in map(find, (name, to)))
        if shown := sorted(self._blurred(name) & found - then):
            raise ValueError(
                f"{to} does not find {', '.join(shown)}, which cameras blur (preview.blur)"
            )

    def _keep(self, name: str) -> None:
        """Notes what runs, so that a restart finds it."""
        (entry,) = (each for each in self._models.in_use() if each.name == name)
        self._on_swapped(name)
        kept = json.dumps({"runs": entry.runs, "before": entry.before})
        self._client.hset(kept_models_key(self._worker), name, kept)

    def _in_full(self, name: str) -> str:
        """A model of the folder ``models`` by its short name."""
        full = [each.name for each in self._models.in_use() if Path(each.name).stem == name]
        return full[0] if len(full) == 1 else name
