"""TLS to a Redis server: its failures in words."""

from __future__ import annotations

import ssl
from collections.abc import Iterable

import redis

from mirante.redis_greeting import HungUpError

_NOT_YET_VALID, _EXPIRED = 9, 10  # X509_V_ERR_… of OpenSSL
_OTHER_NAMES = (62, 64)  # a host's name, an IP address
_UNKNOWN = (2, 18, 19, 20, 21, 27)  # an authority's certificate is absent, or trusted by nobody
_NO_TLS = "no TLS connection: the address of a port without TLS begins redis://, not rediss://"


def tls_words(
    causes: Iterable[BaseException], host: str, is_tls: bool, has_certificate: bool
) -> str | None:
    """Return what went wrong between a client and a TLS port, None when it is nothing of TLS.

    Args:
        causes: an error and those behind it.
        host: what the client called the server.
        is_tls: the client meant to speak TLS.
        has_certificate: the client has one to show.
    """
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _distrust(cause, host)
        if isinstance(cause, ssl.SSLEOFError) or (is_tls and isinstance(cause, HungUpError)):
            return _refusal(has_certificate)
        if isinstance(cause, ssl.SSLError):
            return _refusal(has_certificate) if "ALERT" in str(cause) else _NO_TLS
        if is_tls and isinstance(cause, FileNotFoundError | PermissionError):
            return "a file of its TLS options can no longer be read (ca_file, cert_file, key_file)"
        if is_tls and isinstance(cause, redis.TimeoutError) and "connecting" in str(cause):
            return f"does not answer; {_NO_TLS}"
    return None


def _distrust(error: ssl.SSLCertVerificationError, host: str) -> str:
    code = getattr(error, "verify_code", None)
    if code == _EXPIRED:
        return "its TLS certificate, or that of its authority, has expired"
    if code == _NOT_YET_VALID:
        return "its TLS certificate is not valid yet; is this machine's clock right?"
    if code in _OTHER_NAMES:
        return (
            f"its TLS certificate is not for {host}: use a name that it has, or turn the check off "
            "(redis.check_hostname: false; ssl_check_hostname=false in an address)"
        )
    if code is not None and code not in _UNKNOWN:
        return f"its TLS certificate is not accepted: {error.verify_message}"
    return (
        "its TLS certificate is not trusted; name the authority that signed it "
        "(redis.ca_file; ssl_ca_certs=FILE in an address)"
    )


def _refusal(has_certificate: bool) -> str:
    # The alert of TLS 1.3 that says why may get lost on its way: then all that shows is a server,
    # or a proxy before none, that hangs up. The words are the same, so that a log has one line.
    if has_certificate:
        return (
            "refuses the client certificate (redis.cert_file), which has expired or is signed by "
            "another authority; or a proxy finds no server"
        )
    return (
        "asks for a client certificate: redis.cert_file and redis.key_file "
        "(ssl_certfile=FILE and ssl_keyfile=FILE in an address); or a proxy finds no server"
    )
