"""Files that workers fetch by what they hold: in Redis, or in a bucket of S3's protocol."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

import redis

from mirante.keys import BLOBS, blob_key
from pipeline.config.clips import Bucket
from pipeline.control.bucket_client import (
    bucket_client,
    in_words,
    is_absent,
    not_installed,
    where_of,
)

PIECE = 1 << 19  # bytes of a piece: each is one command, which keeps Redis from others for 1 ms
DROPPED = 256  # pieces that are removed by one command
MOST_IN_REDIS = 512 << 20
KEPT_FREE = 0.1  # of Redis' memory: results come first
BUCKET_KEY = "fleet.models_s3"
NAME_A_BUCKET = f"give Redis more, or name a bucket ({BUCKET_KEY})"


class BlobError(RuntimeError):
    """A file cannot be put there, or fetched; in words.

    Attributes:
        is_away: the place does not answer, so another try may do.
    """

    def __init__(self, words: str, is_away: bool = False) -> None:
        super().__init__(words)
        self.is_away = is_away


class BlobPlace(Protocol):
    """A place of files, each under its SHA-256. Its methods block and raise ``BlobError``."""

    @property
    def name(self) -> str:
        """The place in words."""

    def has(self, digest: str) -> bool:
        """Return whether it is there whole."""

    def put(self, digest: str, path: Path) -> None:
        """Put a file there; the caller says what it holds."""

    def read(self, digest: str) -> Iterator[bytes]:
        """Yield the bytes of a file; nobody has compared them with the digest yet."""

    def remove(self, digest: str) -> None:
        """Remove it, if it is there."""

    def digests(self) -> set[str]:
        """Return the files that are there, whole or in part."""


class RedisBlobs:
    """Files in Redis, in pieces; what was put in part counts as not there.

    Args:
        client: a Redis client that answers bytes.
        words: explains an error of Redis.
    """

    name = "Redis"

    def __init__(self, client: redis.Redis, words: Callable[[Exception], str] = str) -> None:
        self._client, self._words = client, words

    def has(self, digest: str) -> bool:
        """As ``BlobPlace``."""
        return self._ask(lambda: self._pieces(digest)) is not None

    def put(self, digest: str, path: Path) -> None:
        """As ``BlobPlace``; refused where Redis' memory would not hold it."""
        size = path.stat().st_size
        self._ask(lambda: self._check_room(path.name, size))
        key, count = blob_key(digest), 0
        try:
            self._client.hset(BLOBS, digest, str(size))
            self._client.hset(key, "size", str(size))
            self._drop(digest, "pieces")
            with path.open("rb") as file:
                while piece := file.read(PIECE):
                    self._client.hset(key, str(count), piece)
                    count += 1
            self._client.hset(key, "pieces", str(count))  # last: until then it is not whole
            is_whole = self._field(digest, "size") is not None
        except redis.RedisError as error:
            self._forget(digest, count)
            raise self._refused(path.name, error) from error
        if not is_whole:
            self._forget(digest, count)
            raise BlobError(f"{path.name}: it was removed while it was put there; try again")

    def read(self, digest: str) -> Iterator[bytes]:
        """As ``BlobPlace``."""
        count = self._ask(lambda: self._pieces(digest))
        if count is None:
            raise BlobError(f"{self.name} does not have it")
        for number in range(count):
            piece = self._ask(partial(self._field, digest, str(number)))
            if piece is None:
                raise BlobError(f"{self.name} lost piece {number} of {count} of it")
            yield piece

    def remove(self, digest: str) -> None:
        """As ``BlobPlace``."""
        self._ask(lambda: self._drop(digest, "size", "pieces"))
        self._ask(lambda: self._client.hdel(BLOBS, digest))

    def digests(self) -> set[str]:
        """As ``BlobPlace``."""
        found = self._ask(lambda: self._client.hgetall(BLOBS))
        return {each.decode("ascii", "replace") for each in cast(dict[bytes, bytes], found)}

    def _drop(self, digest: str, *fields: str, least: int = 0) -> None:
        """Remove some fields, then all pieces, those before ``least`` also where some are gone;
        without DEL: who may use that may remove results, before Redis 7.
        """
        key, first = blob_key(digest), 0
        self._client.hdel(key, *fields)
        while self._client.hdel(key, *map(str, range(first, first + DROPPED))) or first < least:
            first += DROPPED

    def _pieces(self, digest: str) -> int | None:
        said = self._field(digest, "pieces")
        return int(said) if said is not None and said.isdigit() else None

    def _field(self, digest: str, field: str) -> bytes | None:
        [value] = cast(list[bytes | None], self._client.hmget(blob_key(digest), [field]))
        return value

    def _check_room(self, name: str, size: int) -> None:
        if size > MOST_IN_REDIS:
            words = f"{_mib(size)}, expected up to {_mib(MOST_IN_REDIS)} in Redis"
            raise BlobError(f"{name}: {words}; name a bucket ({BUCKET_KEY})")
        memory = self._client.info("memory")
        used, limit = int(memory["used_memory"]), int(memory.get("maxmemory", 0))
        whose = "maxmemory" if limit else "machine's memory"
        limit = limit or int(memory.get("total_system_memory", 0))
        if limit and used + size > limit * (1 - KEPT_FREE):
            raise BlobError(
                f"{name}: Redis would not hold its {_mib(size)}: {_mib(used)} of its {whose}, "
                f"{_mib(limit)}, are in use, and a tenth is kept free; {NAME_A_BUCKET}"
            )

    def _forget(self, digest: str, count: int) -> None:
        """Remove the pieces that came before a failure, as far as Redis lets it."""
        try:
            self._drop(digest, "size", "pieces", least=count)
            self._client.hdel(BLOBS, digest)
        except redis.RedisError:
            return

    def _ask(self, what: Callable[[], Any]) -> Any:
        try:
            return what()
        except redis.RedisError as error:
            raise BlobError(self._words(error), is_away=True) from error

    def _refused(self, name: str, error: redis.RedisError) -> BlobError:
        if isinstance(error, redis.exceptions.OutOfMemoryError):
            return BlobError(f"{name}: Redis is full; {NAME_A_BUCKET}")
        return BlobError(f"{name}: {self._words(error)}", is_away=True)


class BucketBlobs:
    """Files in a bucket, under ``PREFIX/models/``.

    Raises:
        BlobError: the client library is not installed.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket, self._prefix = bucket.bucket, f"{bucket.prefix}models/"
        self.name = where_of(BUCKET_KEY, bucket)
        try:
            self._client = bucket_client(bucket)
        except ModuleNotFoundError as error:
            raise BlobError(not_installed(BUCKET_KEY, error)) from None

    def has(self, digest: str) -> bool:
        """As ``BlobPlace``."""
        with in_words(self.name, _away):
            try:
                self._client.stat_object(self._bucket, self._prefix + digest)
            except Exception as error:
                if is_absent(error):
                    return False
                raise
        return True

    def put(self, digest: str, path: Path) -> None:
        """As ``BlobPlace``."""
        with in_words(self.name, _away):
            self._client.fput_object(self._bucket, self._prefix + digest, str(path))

    def read(self, digest: str) -> Iterator[bytes]:
        """As ``BlobPlace``."""
        with in_words(self.name, _away):
            try:
                answer = self._client.get_object(self._bucket, self._prefix + digest)
            except Exception as error:
                if is_absent(error):
                    raise BlobError(f"{self.name} does not have it") from None
                raise
            try:
                yield from answer.stream(PIECE)
            finally:
                answer.close()
                answer.release_conn()

    def remove(self, digest: str) -> None:
        """As ``BlobPlace``."""
        with in_words(self.name, _away):
            self._client.remove_object(self._bucket, self._prefix + digest)

    def digests(self) -> set[str]:
        """As ``BlobPlace``."""
        with in_words(self.name, _away):
            found = self._client.list_objects(self._bucket, self._prefix, recursive=True)
            names = {each.object_name.removeprefix(self._prefix) for each in found}
        return {name for name in names if re.fullmatch("[0-9a-f]{64}", name)}  # others are not ours


def place_of(bucket: Bucket | None, client: redis.Redis) -> BlobPlace:
    """Return where files are put: the bucket where there is one, else Redis.

    Raises:
        BlobError: the client library of the bucket is not installed.
    """
    return RedisBlobs(client) if bucket is None else BucketBlobs(bucket)


def digest_of_bytes(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def _away(words: str) -> BlobError:
    return BlobError(words, is_away=True)


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
