"""The cameras that are wanted, in Redis: the command line writes them, a worker makes them so."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import redis
from pydantic import TypeAdapter, ValidationError
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline.config.camera import Camera, CameraName
from pipeline.config.environment import expand, expand_tree, from_environment
from pipeline.config.messages import ConfigError, describe
from pipeline.config.settings import Settings
from pipeline.credentials import PREFIX, Credentials

CAMERAS = "mirante:cameras"
VERSION = f"mirante:{{{CAMERAS}}}:version"  # the braces put it into the same cluster slot
Origin = Literal["config", "api"]


class RegistryError(RuntimeError):
    """The registry does not allow it, or a camera in it cannot be resolved; in words."""


@dataclass(frozen=True, slots=True)
class Desired:
    """A camera that is wanted.

    Attributes:
        name: the camera's name.
        spec: the camera's keys, JSON values, secrets only as ``${…}`` or ``***``.
        origin: ``config``: the worker's file says so; ``api``: it was added at run time.
        worker: name of the worker that runs it.
    """

    name: str
    spec: dict[str, Any]
    origin: Origin
    worker: str


class Registry:
    """The hash ``mirante:cameras`` and its version, seen from one worker or a client.

    Args:
        client: a Redis client that answers bytes (``decode_responses=False``).
        worker: the worker whose cameras ``put`` adds and ``changes`` reports.
        settings: those of the worker itself, and then its name. Its configured cameras are
            resolved from here, so that what they hold never travels.
        credentials: the file of secrets; the user's own by default.

    Every method raises ``redis.RedisError`` when Redis does not answer.
    """

    def __init__(
        self,
        client: redis.Redis,
        worker: str = "main",
        settings: Settings | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self._client = client
        self._settings = settings
        self._worker = settings.worker if settings else worker
        self._configured = settings.cameras if settings else {}
        self._credentials = credentials or Credentials()
        self._known: dict[str, Desired] = {}
        self._seen: tuple[str, str] | None = None

    def version(self) -> tuple[str, str]:
        """(generation, number): the number grows with each change, and the generation is another
        one after Redis lost its data. ("", "") before the first change.
        """
        raw = cast(list[bytes | None], self._client.hmget(VERSION, ["generation", "number"]))
        return (raw[0] or b"").decode(), (raw[1] or b"").decode()

    @property
    def generation(self) -> str:
        """The generation that ``changes`` saw last; another one after Redis lost its data."""
        return self._seen[0] if self._seen else ""

    def cameras(self) -> dict[str, Desired]:
        """All cameras that are wanted, of every worker, by name."""
        raw = cast(dict[bytes, bytes], self._client.hgetall(CAMERAS))
        entries = [Desired(**json.loads(value)) for value in raw.values()]
        return {entry.name: entry for entry in sorted(entries, key=lambda e: e.name)}

    def changes(self) -> dict[str, Desired] | None:
        """This worker's cameras when anything changed since the last call, else None. Cheap.

        What Redis lost with its data is put back first.
        """
        version = self.version()
        if version == self._seen:
            return None
        entries = self.cameras()
        if self._seen is not None and version[0] != self._seen[0]:
            lost = {name: entry for name, entry in self._known.items() if name not in entries}
            if lost:
                self._write(lost.values())
                version, entries = self.version(), self.cameras()
        self._seen = version
        self._known = {n: e for n, e in entries.items() if e.worker == self._worker}
        return dict(self._known)

    def publish_config(self) -> None:
        """Makes the registry hold exactly the configured cameras as this worker's of origin config.

        Raises:
            RegistryError: another worker runs a camera of that name.
        """
        entries = self.cameras()
        for name in self._configured:
            self._refuse_foreign(name, entries)
        wanted = [
            Desired(name, _shown(camera), "config", self._worker)
            for name, camera in self._configured.items()
        ]
        mine = [e for e in entries.values() if e.worker == self._worker]
        gone = [e.name for e in mine if e.origin == "config" and e.name not in self._configured]
        self._write(wanted, gone)
        for entry in mine:
            if entry.origin == "api" and entry.name in self._configured:
                self._credentials.forget(entry.spec["url"])

    def put(self, name: str, spec: Mapping[str, object]) -> None:
        """Adds a camera, or replaces one that was added the same way.

        Args:
            name: the camera's name.
            spec: keys of ``Camera``, the url as text. A password in it goes to the credentials
                file; ``${NAME}`` stays as it is, for the worker to resolve.

        Raises:
            ConfigError: a key or value is wrong.
            RegistryError: the name belongs to the configuration or to another worker.
        """
        document = {name: dict(spec)}
        try:
            checked = TypeAdapter(dict[CameraName, Camera]).validate_python(document)[name]
        except ValidationError as error:
            lines = describe(error, dict[CameraName, Camera], document)
            raise ConfigError("camera", lines) from None
        entries = self.cameras()
        self._refuse_foreign(name, entries)
        before = entries.get(name)
        if before is not None and before.origin == "config":
            raise RegistryError(
                f'camera "{name}" is in the configuration of worker "{before.worker}"; '
                "change it there"
            )
        stored = checked.model_dump(mode="json", exclude_unset=True)
        stored["url"] = self._credentials.withdraw(name, cast(str, spec["url"]))
        self._write([Desired(name, stored, "api", self._worker)])
        if before is not None:
            self._credentials.forget(before.spec["url"])

    def remove(self, name: str) -> Desired:
        """Removes a camera and its secrets; returns what was removed.

        One of origin ``config`` is wanted again when its worker starts anew.

        Raises:
            RegistryError: no such camera.
        """
        entries = self.cameras()
        if name not in entries:
            known = f"there are: {', '.join(entries)}" if entries else "there is none"
            raise RegistryError(f'no camera "{name}"; {known}')
        self._write([], [name])
        self._credentials.forget(entries[name].spec["url"])
        return entries[name]

    def resolved(self, name: str) -> Camera:
        """The camera with its credentials, for the worker that runs it.

        Raises:
            RegistryError: a ``${…}`` stands for nothing on this machine, or the entry is not one
                that this version understands.
        """
        entry = self._known.get(name) or self.cameras().get(name)
        if entry is None:
            raise RegistryError(f'no camera "{name}"')
        if entry.origin == "config" and name in self._configured:
            return self._configured[name]
        spec, failures = expand_tree(entry.spec, self._lookup)
        if failures:
            raise RegistryError(f'camera "{name}": {"; ".join(failures.values())}')
        try:
            camera = Camera.model_validate(spec)
        except ValidationError as error:
            lines = describe(error, Camera, entry.spec)
            raise RegistryError(f'camera "{name}": {"; ".join(lines)}') from None
        return self._settings.complete(camera) if self._settings else camera

    def _lookup(self, reference: str) -> str:
        if reference.startswith(PREFIX):
            return expand(self._credentials.lookup(reference), from_environment)
        return from_environment(reference)

    def _refuse_foreign(self, name: str, entries: Mapping[str, Desired]) -> None:
        entry = entries.get(name)
        if entry is not None and entry.worker != self._worker:
            raise RegistryError(f'camera "{name}" belongs to worker "{entry.worker}"')

    def _write(self, entries: Iterable[Desired], removed: Sequence[str] = ()) -> None:
        with self._client.pipeline(transaction=True) as pipe:
            for entry in entries:
                pipe.hset(CAMERAS, entry.name, json.dumps(asdict(entry)))
            if removed:
                pipe.hdel(CAMERAS, *removed)
            pipe.hsetnx(VERSION, "generation", secrets.token_hex(8))
            pipe.hincrby(VERSION, "number", 1)
            pipe.execute()


def connect(url: str, timeout_s: float = 2.0) -> redis.Redis:
    """A client that fails at once where redis-py would retry for seconds."""
    return redis.Redis.from_url(
        url,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
    )


def _shown(camera: Camera) -> dict[str, Any]:
    """A configured camera for others to read: its address redacted, without stage options, which
    may hold what ``${NAME}`` stood for.
    """
    spec = camera.model_dump(mode="json", exclude_unset=True)
    for stage in spec.get("stages", []):
        stage.pop("options", None)
    return spec
