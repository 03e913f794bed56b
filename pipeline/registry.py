"""The cameras that are wanted, in Redis: the command line writes them, a worker makes them so."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from typing import Any, Literal, cast

import msgspec
import redis
from pydantic import TypeAdapter, ValidationError
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline.config.camera import Camera, CameraName, CameraOptions
from pipeline.config.environment import REFERENCE, expand, expand_tree, from_environment
from pipeline.config.messages import ConfigError, describe, show
from pipeline.config.references import check_source
from pipeline.config.settings import Settings
from pipeline.credentials import PREFIX, Credentials, CredentialsError
from pipeline.urls import redact

log = logging.getLogger(__name__)

CAMERAS = "mirante:cameras"
VERSION = f"mirante:{{{CAMERAS}}}:version"  # the braces put it into the same cluster slot
Origin = Literal["config", "api"]


class RegistryError(RuntimeError):
    """The registry does not allow it, or a camera in it cannot be resolved; in words."""


class UnknownCameraError(RegistryError):
    """No camera has that name; in words, with a guess of what was meant."""


@dataclass(frozen=True, slots=True)
class Desired:
    """A camera that is wanted.

    Attributes:
        name: the camera's name.
        spec: the camera's keys, JSON values, secrets only as ``${…}`` or ``***``.
        origin: ``config``: the worker's file says so; ``api``: it was added at run time.
        worker: name of the worker that runs it.
        paused: it is kept, and does not run.
    """

    name: str
    spec: dict[str, Any]
    origin: Origin
    worker: str
    paused: bool = False


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
        entries = [entry for value in raw.values() if (entry := read_entry(value)) is not None]
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

        One that is paused stays so.

        Raises:
            RegistryError: another worker runs a camera of that name.
        """
        entries = self.cameras()
        for name in self._configured:
            self._refuse_foreign(name, entries)
        wanted = [
            Desired(name, shown(camera), "config", self._worker, _is_paused(entries.get(name)))
            for name, camera in self._configured.items()
        ]
        mine = [e for e in entries.values() if e.worker == self._worker]
        gone = [e.name for e in mine if e.origin == "config" and e.name not in self._configured]
        self._write(wanted, gone)
        for entry in mine:
            if entry.origin == "api" and entry.name in self._configured:
                self._credentials.forget(entry.spec["url"])

    def put(self, name: str, spec: Mapping[str, object]) -> None:
        """Adds a camera, or replaces one that was added the same way and stays paused if it was.

        Args:
            name: the camera's name.
            spec: keys of ``Camera``, the url as text. A password in it goes to the credentials
                file; ``${NAME}`` stays as it is, for the worker to resolve.

        Raises:
            ConfigError: a key or value is wrong.
            RegistryError: the name belongs to the configuration or to another worker.
        """
        checked = _checked(name, spec)
        entries = self.cameras()
        self._refuse_foreign(name, entries)
        before = entries.get(name)
        if before is not None:
            _refuse_configured(before)
        stored = checked.model_dump(mode="json", exclude_unset=True)
        stored["url"] = self._credentials.withdraw(name, cast(str, spec["url"]))
        self._write([Desired(name, stored, "api", self._worker, _is_paused(before))])
        if before is not None:
            self._credentials.forget(before.spec["url"])

    def edit(self, name: str, changes: Mapping[str, object]) -> None:
        """Changes keys of a camera that was added at run time, of any worker.

        Args:
            name: the camera's name.
            changes: keys of ``Camera`` with their new values, None for the default. An address
                that is absent, or as it is shown, stays, its secrets included.

        Raises:
            ConfigError: a key or value is wrong.
            UnknownCameraError: no such camera.
            RegistryError: the name belongs to the configuration.
        """
        before = self._entry(name)
        _refuse_configured(before)
        merged = {
            key: value
            for key, value in (before.spec | dict(changes)).items()
            if value is not None or key not in Camera.model_fields  # to be refused by its name
        }
        if merged.get("url") == redact(before.spec["url"]):
            merged["url"] = before.spec["url"]
        stored = _checked(name, merged).model_dump(mode="json", exclude_unset=True)
        stored["url"] = merged["url"]
        is_new = merged["url"] != before.spec["url"]
        if is_new:
            stored["url"] = self._credentials.withdraw(name, cast(str, merged["url"]))
        self._write([replace(before, spec=stored)])
        if is_new:
            self._credentials.forget(before.spec["url"])

    def pause(self, name: str) -> None:
        """Keeps a camera of any worker and origin, but stops it until ``resume``.

        Raises:
            UnknownCameraError: no such camera.
        """
        self._write([replace(self._entry(name), paused=True)])

    def resume(self, name: str) -> None:
        """Lets a paused camera run again.

        Raises:
            UnknownCameraError: no such camera.
        """
        self._write([replace(self._entry(name), paused=False)])

    def remove(self, name: str) -> Desired:
        """Removes a camera and its secrets; returns what was removed.

        One of origin ``config`` is wanted again when its worker starts anew.

        Raises:
            UnknownCameraError: no such camera.
        """
        entry = self._entry(name)
        self._write([], [name])
        self._credentials.forget(entry.spec["url"])
        return entry

    def resolved(self, name: str) -> Camera:
        """The camera with its credentials, for the worker that runs it.

        Raises:
            UnknownCameraError: no such camera.
            RegistryError: a ``${…}`` stands for nothing on this machine, or the entry is not one
                that this version understands.
        """
        entry = self._known.get(name) or self._entry(name)
        if entry.origin == "config" and name in self._configured:
            return self._configured[name]
        return self.completed(name, entry.spec)

    def completed(self, name: str, keys: Mapping[str, Any]) -> Camera:
        """The camera that the keys make here, with its credentials and what it inherits.

        Args:
            name: what it is called in an error.
            keys: of ``Camera``, secrets as ``${…}``.

        Raises:
            RegistryError: as ``resolved``.
        """
        try:
            spec, failures = expand_tree(dict(keys), self._lookup)
        except CredentialsError as error:
            raise RegistryError(f'camera "{name}": {error}') from None
        if failures:
            raise RegistryError(f'camera "{name}": {"; ".join(failures.values())}')
        try:
            camera = Camera.model_validate(spec)
        except ValidationError as error:
            lines = describe(error, Camera, dict(keys))
            raise RegistryError(f'camera "{name}": {"; ".join(lines)}') from None
        return self._settings.complete(camera) if self._settings else camera

    def _lookup(self, reference: str) -> str:
        if reference.startswith(PREFIX):
            return expand(self._credentials.lookup(reference), from_environment)
        return from_environment(reference)

    def _entry(self, name: str) -> Desired:
        entries = self.cameras()
        if name not in entries:
            near = get_close_matches(name, entries, n=1)
            known = f"there are: {', '.join(entries)}" if entries else "there is none"
            hint = f'did you mean "{near[0]}"?' if near else known
            raise UnknownCameraError(f'no camera "{name}"; {hint}')
        return entries[name]

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


def shown(options: CameraOptions, *, exclude_unset: bool = True) -> dict[str, Any]:
    """A configured camera, or defaults, for others to read: the address redacted, without stage
    options, which may hold what ``${NAME}`` stood for.
    """
    spec = options.model_dump(mode="json", exclude_unset=exclude_unset)
    for stage in spec.get("stages", []):
        stage.pop("options", None)
    return spec


def read_entry(value: bytes) -> Desired | None:
    """An entry; what a later version has added to it is left alone, and what is none is no camera.

    One entry that somebody wrote by hand must not end a worker, with all other cameras.
    """
    try:
        entry = msgspec.json.decode(value, type=Desired)
        if not isinstance(entry.spec.get("url"), str):
            raise msgspec.ValidationError("expected a url - at `$.spec`")
        return entry
    except msgspec.MsgspecError as error:
        log.error("%s: no camera in %s: %s", CAMERAS, redact(repr(value[:80])), error)
        return None


def _checked(name: str, spec: Mapping[str, object]) -> Camera:
    """The camera that the keys make.

    Raises:
        ConfigError: a key or value is wrong, or the address is one that was shown.
    """
    document = {name: dict(spec)}
    try:
        camera = TypeAdapter(dict[CameraName, Camera]).validate_python(document)[name]
    except ValidationError as error:
        lines = describe(error, dict[CameraName, Camera], document)
        raise ConfigError("camera", lines) from None
    if camera.url.username == "***" or "=***" in camera.url.query:
        words = "*** stands for a secret that is not shown; expected the whole address"
        raise ConfigError("camera", [f"{name}.url: {show(str(camera.url))} — {words}"])
    if not REFERENCE.search(cast(str, spec["url"])) and (
        lines := list(check_source(camera, f"{name}.url"))
    ):
        raise ConfigError("camera", lines)
    return camera


def _refuse_configured(entry: Desired) -> None:
    if entry.origin == "config":
        raise RegistryError(
            f'camera "{entry.name}" is in the configuration of worker "{entry.worker}"; '
            "change it there"
        )


def _is_paused(entry: Desired | None) -> bool:
    return entry is not None and entry.paused
