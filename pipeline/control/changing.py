"""One change of the registry after another, with the secrets of addresses that come and go."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import redis
from redis.client import Pipeline

from mirante.backoff import Backoff
from pipeline.config.camera_url import ADDRESSES
from pipeline.control.credentials import Credentials, CredentialsError
from pipeline.control.entries import Desired
from pipeline.control.memory import Entries
from pipeline.control.versioned import Known, Part, Version, watch, watch_some, write

log = logging.getLogger(__name__)

TRIES = 64  # of a change while others change the registry too; one of them wins each time
PUT_BACK_S = 0.75  # in which workers put back what Redis lost: three times the pause of their loop


class RegistryError(RuntimeError):
    """The registry does not allow it, or a camera in it cannot be resolved; in words."""


class Changed:
    """The hash of cameras as it is changed.

    Args:
        client: a Redis client that answers bytes.
        credentials: the file of secrets.
    """

    def __init__(self, client: redis.Redis, credentials: Credentials) -> None:
        self._client, self._credentials = client, credentials

    def _change(
        self,
        decide: Callable[[Entries], Mapping[str, Desired | None]],
        owner: bool = False,
        outdated: str | None = None,
        about: str | None = None,
        is_new: bool = False,
    ) -> Entries:
        """Writes what ``decide`` makes of the entries, and asks it again whenever somebody else
        wrote meanwhile. Where Redis lost the entries, workers first get the time to put theirs
        back.

        Args:
            decide: of all entries makes those to write, None for one to remove. Secrets in an
                address that is new are withdrawn here, and those of the one before forgotten.
            owner: it puts back what Redis lost.
            outdated: a generation of which Redis lost changes: another one begins.
            about: the one camera that ``decide`` looks at, where that is so; the others are not
                read then, unless there is none of that name.
            is_new: there need not be one.

        Returns:
            the entries before the change that were read.

        Raises:
            RegistryError: somebody else wrote each time.
        """
        backoff = Backoff(0.001, 0.02)
        for _ in range(TRIES):
            with self._client.pipeline(transaction=True) as pipe:
                part = _begun(pipe, about, is_new)
                version, before = part.version, part.entries
                is_lost = not version.is_whole or version.generation == outdated
                is_early = is_lost and not owner
                decided = {} if is_early else decide(before)
                if not is_lost and all(before.get(n) == e for n, e in decided.items()):
                    return before  # else all workers would look for what changed
                after = {n: self._withdrawn(e, before.get(n)) for n, e in decided.items()}
                try:
                    write(pipe, part, after, is_lost)
                except redis.WatchError as error:
                    _raise_outage(error)
                    self._forget(after, decided)
                else:
                    if not is_early:
                        self._forget({n: before.get(n) for n in after}, after)
                        return before
            time.sleep(PUT_BACK_S if is_early else backoff.next_s())
        raise RegistryError("others change the cameras without a pause; try again")

    def _change_some(
        self,
        names: Sequence[str],
        decide: Callable[[Entries], Mapping[str, Desired | None]],
        known: Known | None = None,
    ) -> tuple[Entries, Known | None]:
        """As ``_change``, of some cameras that keep their addresses, without reading the others.

        Args:
            names: of the cameras.
            decide: as of ``_change``.
            known: all cameras as they were seen last; where it is so still none is read.

        Returns:
            these cameras before the change, and ``known`` after it; None where that is not known.
        """
        for _ in range(TRIES):
            with self._client.pipeline(transaction=True) as pipe:
                part = watch_some(pipe, names, known)
                if not part.version.is_whole:
                    break
                before = part.entries
                after = {n: e for n, e in decide(before).items() if e != before.get(n)}
                if not after:
                    return before, known
                try:
                    version, token = write(pipe, part, after, False)
                except redis.WatchError as error:
                    _raise_outage(error)
                    known = None
                else:
                    return before, _after(known, part.version, after, version, token)
        return self._change(decide), None

    def _withdrawn(self, entry: Desired | None, before: Desired | None) -> Desired | None:
        if entry is None or entry.origin == "config":
            return entry
        known = addresses_of(before)
        withdrawn = {
            key: self._credentials.withdraw(entry.name, url, entry.fleet)
            for key, url in addresses_of(entry).items()
            if url != known.get(key)
        }
        return replace(entry, spec={**entry.spec, **withdrawn})

    def _forget(
        self, lost: Mapping[str, Desired | None], kept: Mapping[str, Desired | None]
    ) -> None:
        urls = [
            url
            for name, entry in lost.items()
            for url in addresses_of(entry).values()
            if url not in addresses_of(kept[name]).values()
        ]
        try:
            self._credentials.forget(" ".join(urls))
        except CredentialsError as error:
            log.error("passwords of former addresses stay: %s", error)


def _begun(pipe: Pipeline, about: str | None, is_new: bool) -> Part:
    """Begin a transaction about one camera, or about all."""
    if about is not None:
        part = watch_some(pipe, [about])
        if part.version.is_whole and (is_new or about in part.entries):
            return part
    return watch(pipe)


def _after(
    known: Known | None,
    seen: Version,
    changed: Mapping[str, Desired | None],
    version: Version,
    token: bytes,
) -> Known | None:
    """Return what is known after a change, where it was known what came before."""
    if known is None or known.version != seen:
        return None
    kept = {**known.entries, **{n: entry for n, entry in changed.items() if entry is not None}}
    for name in [name for name, entry in changed.items() if entry is None]:
        kept.pop(name, None)
    return Known(version, kept, token)


def _raise_outage(error: redis.WatchError) -> None:
    """Redis-py says the same of an answer that did not come, after which the change may stand: it
    is neither tried again nor are its secrets forgotten.
    """
    if isinstance(cause := error.__context__, redis.ConnectionError | redis.TimeoutError):
        raise cause from None


def addresses_of(entry: Desired | None) -> dict[str, str]:
    """The addresses of a camera by key, with what they hold of secrets."""
    spec = entry.spec if entry else {}
    return {key: str(spec[key]) for key in ADDRESSES if spec.get(key) is not None}
