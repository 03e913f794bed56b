"""The cameras configured, in Redis: the command line writes them, a worker makes them so."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

import redis
from pydantic import ValidationError

from mirante.backoff import Backoff
from mirante.keys import CAMERAS
from mirante.nearest import nearest
from mirante.redis_url import RedisUrl
from pipeline.config.camera import Camera
from pipeline.config.camera_url import ADDRESSES
from pipeline.config.environment import UnresolvedReferenceError, expand_tree, from_environment
from pipeline.config.messages import describe
from pipeline.config.settings import Settings
from pipeline.control.credentials import Credentials, CredentialsError
from pipeline.control.entries import Desired, Origin, read_entries
from pipeline.control.lease import is_held, is_left
from pipeline.control.memory import Entries, Memory
from pipeline.control.spec import checked, edited, shown, stored
from pipeline.control.versioned import Version, read, read_version, watch, write

log = logging.getLogger(__name__)

Changes = Mapping[str, object] | Callable[[Desired], Mapping[str, object]]
TRIES = 64  # of a change while others change the registry too; one of them wins each time
PUT_BACK_S = 0.75  # in which workers put back what Redis lost: three times the pause of their loop


class RegistryError(RuntimeError):
    """The registry does not allow it, or a camera in it cannot be resolved; in words."""


class UnknownCameraError(RegistryError):
    """No camera has that name; says which was probably meant."""


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
        self._memory = Memory(self._worker)

    @property
    def generation(self) -> str:
        """The generation that ``changes`` saw last; another one after Redis lost its data."""
        return self._memory.seen.generation if self._memory.seen else ""

    def cameras(self) -> dict[str, Desired]:
        """All cameras that are configured, of every worker, by name."""
        raw = cast(dict[bytes, bytes], self._client.hgetall(CAMERAS))
        return read_entries(raw.values())

    def changes(self) -> dict[str, Desired] | None:
        """This worker's cameras when anything changed since the last call, else None. Cheap.

        What Redis lost is put back first.
        """
        if absent := self._memory.foreign(partial(is_held, self._client)):
            self._change(lambda entries: {n: e for n, e in absent.items() if n not in entries})
        seen = self._memory.seen
        if read_version(self._client) == seen:
            return None
        version, entries = read(self._client)
        if not version.is_whole or (seen is not None and version.lost_since(seen)):
            try:
                self._put_back(version, seen)
            except (RegistryError, CredentialsError) as error:
                log.warning("what Redis lost is not put back yet: %s", error)
                return None
            version, entries = read(self._client)
            if not version.is_whole:  # lost once more: the next call goes on
                return None
        self._memory.note(version, entries)
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

        One that is paused stays so. Those of the file of a worker that does not run are taken over:
        the worker has another name now, or is one of several.

        Raises:
            RegistryError: another worker runs a camera of that name.
        """

        def decide(entries: Entries) -> dict[str, Desired | None]:
            for name in self._configured:
                if not is_left(self._client, entries.get(name)):
                    self._refuse_foreign(name, entries)
            mine = [e for e in entries.values() if e.worker == self._worker]
            gone = [e.name for e in mine if e.origin == "config" and e.name not in self._configured]
            wanted = {
                name: self._desired(name, shown(camera), "config", entries.get(name))
                for name, camera in self._configured.items()
            }
            return dict.fromkeys(gone) | wanted

        before = self._change(decide)
        self._memory.note_own({**before, **decide(before)}.values())

    def add(self, name: str, spec: Mapping[str, object]) -> None:
        """Adds a camera that is not there yet, of any worker; otherwise as ``put``.

        Raises:
            ConfigError: a key or value is wrong.
            RegistryError: there is a camera of that name.
        """
        self._put(name, spec, is_new=True)

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
        self._put(name, spec, is_new=False)

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

        return self._change(decide)[name]

    def pause(self, name: str) -> None:
        """Keeps a camera of any worker and origin, but stops it until ``resume``.

        Raises:
            UnknownCameraError: no such camera.
        """
        self._change(lambda e: {name: replace(_named(name, e), paused=True)})

    def resume(self, name: str) -> None:
        """Lets a paused camera run again.

        Raises:
            UnknownCameraError: no such camera.
        """
        self._change(lambda e: {name: replace(_named(name, e), paused=False)})

    def remove(self, name: str) -> Desired:
        """Remove a camera's secrets, then the camera; return what was removed.

        One of origin ``config`` comes back when its worker restarts.

        Raises:
            UnknownCameraError: no such camera.
            CredentialsError: the secrets cannot be removed; the camera stays.
        """
        self._credentials.forget(" ".join(_addresses(_named(name, self.cameras())).values()))
        return self._change(lambda entries: {_named(name, entries).name: None})[name]

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

    def _refuse_foreign(self, name: str, entries: Entries) -> None:
        if (entry := entries.get(name)) is not None and entry.worker != self._worker:
            raise RegistryError(f'camera "{name}" belongs to worker "{entry.worker}"')

    def _put(self, name: str, spec: Mapping[str, object], *, is_new: bool) -> None:
        keys = stored(checked(name, spec), spec)

        def decide(entries: Entries) -> dict[str, Desired | None]:
            if (before := entries.get(name)) is not None and is_new:
                words = "exists already; PATCH changes it and PUT replaces it"
                raise RegistryError(f'camera "{name}" {words}')
            self._refuse_foreign(name, entries)
            if before is not None:
                _refuse_configured(before)
            return {name: self._desired(name, keys, "api", before)}

        self._change(decide)

    def _desired(
        self, name: str, spec: dict[str, Any], origin: Origin, before: Desired | None
    ) -> Desired:
        """This worker's entry, which keeps of the one before what keys do not say."""
        if before is not None:
            return Desired(name, spec, origin, self._worker, before.paused, before.added)
        added = time.time() if origin == "api" else 0.0
        return Desired(name, spec, origin, self._worker, added=added)

    def _change(
        self,
        decide: Callable[[Entries], Mapping[str, Desired | None]],
        owner: bool = False,
        outdated: str | None = None,
    ) -> Entries:
        """Writes what ``decide`` makes of the entries, and asks it again whenever somebody else
        wrote meanwhile. Where Redis lost the entries, workers first get the time to put theirs
        back.

        Args:
            decide: of all entries makes those to write, None for one to remove. Secrets in an
                address that is new are withdrawn here, and those of the one before forgotten.
            owner: it puts back what Redis lost.
            outdated: a generation of which Redis lost changes: another one begins.

        Returns:
            all entries before the change.

        Raises:
            RegistryError: somebody else wrote each time.
        """
        backoff = Backoff(0.001, 0.02)
        for _ in range(TRIES):
            with self._client.pipeline(transaction=True) as pipe:
                version, stored_now = watch(pipe)
                before = read_entries(stored_now.values())
                is_lost = not version.is_whole or version.generation == outdated
                is_early = is_lost and not owner
                decided = {} if is_early else decide(before)
                if owner and not is_lost and not decided:
                    return before
                after = {n: self._withdrawn(e, before.get(n)) for n, e in decided.items()}
                try:
                    write(pipe, version, stored_now, after, is_lost)
                except redis.WatchError as error:
                    _raise_outage(error)
                    self._forget(after, decided)
                else:
                    if not is_early:
                        self._forget({n: before.get(n) for n in after}, after)
                        return before
            time.sleep(PUT_BACK_S if is_early else backoff.next_s())
        raise RegistryError("others change the cameras without a pause; try again")

    def _withdrawn(self, entry: Desired | None, before: Desired | None) -> Desired | None:
        if entry is None or entry.origin == "config":
            return entry
        known = _addresses(before)
        withdrawn = {
            key: self._credentials.withdraw(entry.name, url)
            for key, url in _addresses(entry).items()
            if url != known.get(key)
        }
        return replace(entry, spec={**entry.spec, **withdrawn})

    def _forget(
        self, lost: Mapping[str, Desired | None], kept: Mapping[str, Desired | None]
    ) -> None:
        urls = [
            url
            for name, entry in lost.items()
            for url in _addresses(entry).values()
            if url not in _addresses(kept[name]).values()
        ]
        try:
            self._credentials.forget(" ".join(urls))
        except CredentialsError as error:
            log.error("passwords of former addresses stay: %s", error)


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


def _raise_outage(error: redis.WatchError) -> None:
    """Redis-py says the same of an answer that did not come, after which the change may stand: it
    is neither tried again nor are its secrets forgotten.
    """
    if isinstance(cause := error.__context__, redis.ConnectionError | redis.TimeoutError):
        raise cause from None


def _addresses(entry: Desired | None) -> dict[str, str]:
    """The addresses of a camera by key, with what they hold of secrets."""
    spec = entry.spec if entry else {}
    return {key: str(spec[key]) for key in ADDRESSES if spec.get(key) is not None}


def _refuse_configured(entry: Desired) -> None:
    if entry.origin == "config":
        raise RegistryError(
            f'camera "{entry.name}" is in the configuration of worker "{entry.worker}"; '
            "change it there"
        )
