"""The client of buckets that speak S3's protocol, and its errors in words."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from pipeline.config.clips import Bucket

CONNECT_S, READ_S = 5.0, 30.0


def bucket_client(bucket: Bucket) -> Any:
    """Return a client of the server that a bucket is on.

    Raises:
        ModuleNotFoundError: the client library is not installed.
    """
    from minio import Minio
    from urllib3 import PoolManager, Retry, Timeout

    # What fails is said once, in words, by who asked; this says each try.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    place = urlsplit(bucket.endpoint)
    pool = PoolManager(timeout=Timeout(connect=CONNECT_S, read=READ_S), retries=Retry(1))
    return Minio(
        endpoint=place.netloc,
        access_key=bucket.access_key.get_secret_value(),
        secret_key=bucket.secret_key.get_secret_value(),
        region=bucket.region,
        secure=place.scheme == "https",
        http_client=pool,
    )


def not_installed(key: str, error: ModuleNotFoundError) -> str:
    """Return the words for a bucket that ``key`` names where its library is missing."""
    return f"{key}: needs the package {error.name}; install mirante[s3]"


def where_of(key: str, bucket: Bucket) -> str:
    """Return the words for a bucket that ``key`` names."""
    return f"{key}: {bucket.endpoint}, bucket {bucket.bucket}"


@contextmanager
def in_words(where: str, error: Callable[[str], Exception]) -> Iterator[None]:
    """Raise what the client raises as ``error`` of words that begin with ``where``."""
    from minio.error import MinioException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (MinioException, HTTPError) as raised:
        said = getattr(raised, "message", "") or getattr(raised, "reason", "") or raised
        raise error(f"{where}: {str(said)[:200]}") from raised


def is_absent(error: Exception) -> bool:
    """Return whether the client says that there is no such object."""
    return getattr(error, "code", "") in {"NoSuchKey", "NoSuchObject", "NotFound"}
