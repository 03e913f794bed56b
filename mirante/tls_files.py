"""Files of TLS: certificates and keys, checked before they are used."""

from __future__ import annotations

import ssl
from pathlib import Path


def check_certificates(path: str | Path) -> None:
    """Check a file of certificates.

    Raises:
        ValueError: it is not there, may not be read, or holds no certificate in PEM.
    """
    _check_readable(path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise ValueError("expected a file of certificates in PEM") from None


def check_key(certificate: str | Path, key: str | Path, password: str | None = None) -> None:
    """Check the file of a key against that of its certificate, which may be the same.

    Raises:
        ValueError: it is not there, may not be read, holds no key in PEM or one of another
            certificate, or a passphrase is asked for and not given.
    """
    _check_readable(key)
    is_locked = b"ENCRYPTED" in Path(key).read_bytes()
    if is_locked and password is None:
        raise ValueError("expected a key without a passphrase")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password or "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ValueError("expected the key of the certificate beside it") from None
        wanted = "the passphrase that opens the key" if is_locked else "a file with a key in PEM"
        raise ValueError(f"expected {wanted}") from None


def _check_readable(path: str | Path) -> None:
    try:
        with Path(path).open("rb"):
            return
    except FileNotFoundError:
        raise ValueError("expected the path of a file that exists") from None
    except IsADirectoryError:
        raise ValueError("expected the path of a file, not of a folder") from None
    except OSError as error:
        raise ValueError(f"expected a file that can be read: {error.strerror}") from None
