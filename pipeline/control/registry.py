"""The cameras configured, in Redis: the command line writes them, a worker makes them so."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, cast

import redis
from pydantic import ValidationError

from mirante.keys import CAMERAS
from mirante.nearest import nearest
from mirante.redis_url import RedisUrl
from pipeline.config.camera import Camera
from pipeline.config.camera_url import ADDRESSES
from pipeline.config.environment import UnresolvedReferenceError, expand_tree, from_environment
from pipeline.config.messages import describe
from pipeline.config.settings import Settings
from pipeline.control.changing import Changed, RegistryError, addresses_of
from pipeline.control.credentials import Credentials, CredentialsError
from pipeline.control.entries import Desired, Needs, Origin, read_entries
from pipeline.control.lease import family, is_held, is_left
from pipeline.control.memory import Entries, Memory
from pipeline.control.spec import checked, edited, shown, stored
from pipeline.control.versioned import Known, Version, read, read_version

log = logging.getLogger(__name__)

Changes = Mapping[str, object] | Callable[[Desired], Mapping[str, object]]


class Place(NamedTuple):
    """Where a camera of the fleet is.

    Attributes:
        worker: that runs it; empty for none.
        before: from which that one takes it over; empty for none.
    """

    worker: str
    before: str = ""


class UnknownCameraError(RegistryError):
    """No camera has that name; says which was probably meant."""


class Registry(Changed):
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
        super().__init__(client, credentials or Credentials())
        self._settings = settings
        self._worker = settings.worker if settings else worker
        self._configured = settings.cameras if settings else {}
        self._memory = Memory(self._worker)

    @property
    def generation(self) -> str:
        """The generation that ``changes`` saw last; another one after Redis lost its data."""
        return self._memory.seen.generation if self._memory.seen else ""

    @property
    def own(self) -> dict[str, Desired]:
        """This worker's cameras, as ``changes`` saw them last."""
        return dict(self._memory.own)

    @property
    def leaving(self) -> set[str]:
        """Cameras that ``changes`` saw given to another worker, which takes them over from this."""
        return self._memory.leaving

    def cameras(self) -> dict[str, Desired]:
        """All cameras that are configured, of every worker, by name."""
        raw = cast(dict[bytes, bytes], self._client.hgetall(CAMERAS))
        return read_entries(raw.values())

    def changes(self) -> dict[str, Desired] | None:
        """This worker's cameras when that changed since the last call, or where others take one
        over, else None. Cheap: of moves between other workers of the fleet nothing is read.

        What Redis lost is put back first.
        """
        if absent := self._memory.foreign(partial(is_held, self._client)):
            self.put_back(absent)
        seen, now = self._memory.seen, read_version(self._client)
        if now == seen:
            return None
        if (is_own := self._memory.follow(self._client, now)) is not None:
            return dict(self._memory.own) if is_own else None
        version, entries, token = read(self._client, self._worker)
        if not version.is_whole or (seen is not None and version.lost_since(seen)):
            try:
                self._put_back(version, seen)
            except (RegistryError, CredentialsError) as error:
                log.warning("what Redis lost is not put back yet: %s", error)
                return None
            version, entries, token = read(self._client, self._worker)
            if not version.is_whole:  # lost once more: the next call goes on
                return None
        self._memory.note(version, entries, token)
        return dict(self._memory.own)

    def _put_back(self, version: Version, seen: Version | None) -> None:
        """Write this worker's cameras that Redis lost; other workers are told by a generation."""
        self._memory.note_loss()
        is_older = seen is not None and version.is_whole and version.generation == seen.generation
        before = self._change(
            lambda entries: self._memory.lost(entries, is_older),
            owner=True,
            outdated=seen.generation if seen is not None and is_older else None,
        )
        if lost := self._memory.lost(before, is_older):
            names = ", ".join(sorted(lost))
            log.warning(
                "Redis lost cameras (%s was deleted or evicted); put back: %s", CAMERAS, names
            )

    def forget(self) -> None:
        """Forget what was seen: the next ``changes`` gives every camera."""
        self._memory = Memory(self._worker)

    def publish_config(self) -> None:
        """Makes the registry hold exactly the configured cameras as this worker's of origin config.

        One that is paused stays so. Those of the file of a worker that does not run are taken over,
        and those of the same file that the worker of another GPU had.

        Raises:
            RegistryError: another worker runs a camera of that name.
        """

        written: dict[str, Desired | None] = {}

        def decide(entries: Entries) -> dict[str, Desired | None]:
            nonlocal written
            for name in self._configured:
                entry = entries.get(name)
                if not is_left(self._client, entry) and not self._is_of_sibling(entry):
                    self._refuse_foreign(name, entries)
                if name in entries and entries[name].fleet:
                    raise RegistryError(f'camera "{name}" belongs to the fleet')
            mine = [e for e in entries.values() if e.worker == self._worker]
            said = self._configured.keys() | self._to_be_taken(mine)
            gone = [e.name for e in mine if e.origin == "config" and e.name not in said]
            wanted = {
                name: self._desired(name, shown(camera), "config", entries.get(name))
                for name, camera in self._configured.items()
            }
            written = dict.fromkeys(gone) | wanted
            return written

        before = self._change(decide)
        self._memory.note_own({**before, **written}.values())

    def add(self, name: str, spec: Mapping[str, object], needs: Needs | None = None) -> None:
        """Adds a camera that is not there yet, of any worker; otherwise as ``put``.

        Raises:
            ConfigError: a key or value is wrong.
            RegistryError: there is a camera of that name.
        """
        self._put(name, spec, needs, is_new=True)

    def put(self, name: str, spec: Mapping[str, object], needs: Needs | None = None) -> None:
        """Adds a camera, or replaces one that was added the same way and stays paused if it was.

        Args:
            name: the camera's name.
            spec: keys of ``Camera``, the url as text. A password in it goes to the credentials
                file; ``${NAME}`` stays as it is, for the worker to resolve.
            needs: of a camera that the fleet is to give to a worker; None for one of this worker,
                or to leave the needs as they are.

        Raises:
            ConfigError: a key or value is wrong.
            RegistryError: the name belongs to the configuration or to another worker.
        """
        self._put(name, spec, needs, is_new=False)

    def edit(self, name: str, changes: Changes) -> Desired:
        """Change keys of a camera that was added at run time, of any worker; return it as it was.

        Args:
            name: the camera's name.
            changes: keys of ``Camera`` with their new values, None for the default, or what makes
                them of the camera as it is, asked again whenever somebody else wrote meanwhile. An
                address that is absent, or as it is shown, stays, its secrets included.

        Raises:
            ConfigError: a key or value is wrong.
            UnknownCameraError: no such camera.
            RegistryError: the name belongs to the configuration.
        """

        def decide(entries: Entries) -> dict[str, Desired | None]:
            before = _named(name, entries)
            _refuse_configured(before)
            keys = changes(before) if callable(changes) else changes
            return {name: replace(before, spec=edited(before, keys))}

        return self._change(decide, about=name)[name]

    def assign(
        self, places: Mapping[str, Place], known: Known | None = None
    ) -> tuple[dict[str, Desired], Known | None]:
        """Give cameras of the fleet to workers, all in one change; those that are gone, or not the
        fleet's, are left alone.

        Args:
            places: by camera.
            known: all cameras as they were seen last, so that none has to be read.

        Returns:
            the cameras that have another place now, as they were, and ``known`` after that; None
            where others have changed something since.
        """

        def decide(entries: Entries) -> dict[str, Desired | None]:
            return {
                name: replace(entries[name], worker=place.worker, before=place.before)
                for name, place in places.items()
                if name in entries and entries[name].fleet
            }

        before, after = self._change_some(list(places), decide, known)
        return {n: before[n] for n, e in decide(before).items() if e != before[n]}, after

    def put_back(self, entries: Mapping[str, Desired]) -> None:
        """Write cameras that Redis lost, as they were; those that are there again stay."""
        self._change(lambda now: {n: entry for n, entry in entries.items() if n not in now})

    def pause(self, name: str) -> None:
        """Keeps a camera of any worker and origin, but stops it until ``resume``.

        Raises:
            UnknownCameraError: no such camera.
        """
        self._change(lambda e: {name: replace(_named(name, e), paused=True)}, about=name)

    def resume(self, name: str) -> None:
        """Lets a paused camera run again.

        Raises:
            UnknownCameraError: no such camera.
        """
        self._change(lambda e: {name: replace(_named(name, e), paused=False)}, about=name)

    def remove(self, name: str) -> Desired:
        """Remove a camera's secrets, then the camera; return what was removed.

        One of origin ``config`` comes back when its worker restarts.

        Raises:
            UnknownCameraError: no such camera.
            CredentialsError: the secrets cannot be removed; the camera stays.
        """
        self._credentials.forget(" ".join(addresses_of(_named(name, self.cameras())).values()))
        return self._change(lambda e: {_named(name, e).name: None}, about=name)[name]

    def resolved(self, name: str) -> Camera:
        """The camera with its credentials, for the worker that runs it.

        Raises:
            UnknownCameraError: no such camera.
            RegistryError: a ``${…}`` stands for nothing on this machine, or the entry is not one
                that this version understands.
        """
        entry = self._memory.own.get(name) or _named(name, self.cameras())
        is_own = entry.origin == "config" and name in self._configured
        return self._configured[name] if is_own else self.completed(name, entry.spec)

    def completed(self, name: str, keys: Mapping[str, Any]) -> Camera:
        """The camera that the keys make here, with its credentials and what it inherits.

        Args:
            name: what it is called in an error.
            keys: of ``Camera``, secrets as ``${…}``.

        Raises:
            RegistryError: as ``resolved``.
        """
        whole = {key: str(keys[key]) for key in ADDRESSES if keys.get(key) is not None}
        try:
            whole = {key: self._credentials.revealed(name, url) for key, url in whole.items()}
        except (CredentialsError, UnresolvedReferenceError) as error:
            raise RegistryError(f'camera "{name}": {error}') from None
        spec, failures = expand_tree({**keys, **whole}, from_environment)
        if failures:
            raise RegistryError(f'camera "{name}": {"; ".join(failures.values())}')
        try:
            camera = Camera.model_validate(spec)
        except ValidationError as error:
            lines = describe(error, Camera, dict(keys))
            raise RegistryError(f'camera "{name}": {"; ".join(lines)}') from None
        return self._settings.complete(camera) if self._settings else camera

    def _to_be_taken(self, mine: Iterable[Desired]) -> set[str]:
        """The worker's cameras that are to wait, paused as they are, for that of another GPU."""
        elsewhere = self._settings and self._settings.elsewhere
        return {entry.name for entry in mine if entry.paused and entry.name in (elsewhere or ())}

    def _is_of_sibling(self, entry: Desired | None) -> bool:
        """Whether a camera is of this worker's file, and that of another GPU had it before."""
        is_one_of_several = self._settings is not None and self._settings.elsewhere is not None
        if entry is None or entry.origin != "config" or not is_one_of_several:
            return False
        return family(entry.worker) == family(self._worker)

    def _refuse_foreign(self, name: str, entries: Entries) -> None:
        entry = entries.get(name)
        if entry is not None and entry.worker != self._worker and not entry.fleet:
            raise RegistryError(f'camera "{name}" belongs to worker "{entry.worker}"')

    def _put(
        self, name: str, spec: Mapping[str, object], needs: Needs | None, *, is_new: bool
    ) -> None:
        keys = stored(checked(name, spec), spec)

        def decide(entries: Entries) -> dict[str, Desired | None]:
            if (before := entries.get(name)) is not None and is_new:
                words = "exists already; PATCH changes it and PUT replaces it"
                raise RegistryError(f'camera "{name}" {words}')
            self._refuse_foreign(name, entries)
            if before is not None:
                _refuse_configured(before)
                if needs is not None and not before.fleet:
                    raise RegistryError(f'camera "{name}" belongs to worker "{before.worker}"')
            entry = self._desired(name, keys, "api", before)
            if needs is None:
                return {name: entry}
            worker = entry.worker if before is not None else ""
            return {name: replace(entry, worker=worker, fleet=True, needs=needs)}

        self._change(decide, about=name, is_new=True)

    def _desired(
        self, name: str, spec: dict[str, Any], origin: Origin, before: Desired | None
    ) -> Desired:
        """This worker's entry, which keeps of the one before what keys do not say."""
        if before is not None:
            worker = before.worker if before.fleet else self._worker
            return replace(before, spec=spec, origin=origin, worker=worker)
        added = time.time() if origin == "api" else 0.0
        return Desired(name, spec, origin, self._worker, added=added)


def connect(url: str, timeout_s: float = 2.0) -> redis.Redis:
    """A client that fails at once where redis-py would retry for seconds.

    Raises:
        ValueError: the address is none.
    """
    return RedisUrl(url).shaped_client(timeout_s)


def _named(name: str, entries: Entries) -> Desired:
    if name not in entries:
        raise UnknownCameraError(no_camera(name, entries))
    return entries[name]


def no_camera(name: str, known: Collection[str]) -> str:
    """Return the words for a name that no camera has."""
    hint = nearest(name, known, "there are:") if known else "there is none"
    return f'no camera "{name}"; {hint}'


def _refuse_configured(entry: Desired) -> None:
    if entry.origin == "config":
        raise RegistryError(
            f'camera "{entry.name}" is in the configuration of worker "{entry.worker}"; '
            "change it there"
        )
