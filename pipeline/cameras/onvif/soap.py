"""SOAP 1.2 as ONVIF speaks it (ONVIF Core Specification, 5): messages out, untrusted answers in."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

MAX_BYTES = 256 * 1024
MAX_WORDS = 200
MAX_TEXT = 2048
REFUSALS = ("NotAuthorized", "FailedAuthentication", "InvalidSecurity")
_LAST_YEAR = 2999  # of a clock that is wrong: what comes after must be a date too

ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
DEVICE = "http://www.onvif.org/ver10/device/wsdl"  # of the service that each device has
_SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<s:Envelope xmlns:s="{namespace}"><s:Header>{header}</s:Header>'
    "<s:Body>{body}</s:Body></s:Envelope>"
)
_USERNAME_TOKEN = (
    f'<wsse:Security s:mustUnderstand="1" xmlns:wsse="{_SECURITY}-wssecurity-secext-1.0.xsd"'
    f' xmlns:wsu="{_SECURITY}-wssecurity-utility-1.0.xsd"><wsse:UsernameToken>'
    "<wsse:Username>{user}</wsse:Username>"
    f'<wsse:Password Type="{_SECURITY}-username-token-profile-1.0#PasswordDigest">'
    "{digest}</wsse:Password>"
    f'<wsse:Nonce EncodingType="{_SECURITY}-soap-message-security-1.0#Base64Binary">'
    "{nonce}</wsse:Nonce><wsu:Created>{created}</wsu:Created>"
    "</wsse:UsernameToken></wsse:Security>"
)


class MalformedError(ValueError):
    """An answer that is no XML that may be read: too large, broken, or with a document type."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user of a camera. The password never travels, and is in no ``repr``."""

    user: str
    password: str = field(repr=False)

    def token(self, at: datetime) -> str:
        """A header that proves the password (WS-Security UsernameToken Profile 1.0, 3.1).

        Args:
            at: now, as the camera's clock has it; cameras refuse what is minutes old.
        """
        nonce = os.urandom(16)
        created = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        # SHA-1 is what the profile demands.
        digest = hashlib.sha1(nonce + created.encode() + self.password.encode()).digest()  # noqa: S324
        return _USERNAME_TOKEN.format(
            user=escape(self.user),
            digest=base64.b64encode(digest).decode(),
            nonce=base64.b64encode(nonce).decode(),
            created=created,
        )


def envelope(body: str, header: str = "") -> bytes:
    """A whole message around ``body``."""
    return _ENVELOPE.format(namespace=ENVELOPE, header=header, body=body).encode()


@dataclass(frozen=True, slots=True)
class SoapFault:
    """A fault that a camera answers with.

    Attributes:
        codes: of the fault, the most general first, without prefixes.
        words: its reason; its last code where it gives none.
    """

    codes: tuple[str, ...]
    words: str

    @property
    def refusal(self) -> str:
        """The one of ``REFUSALS`` that it is; empty for another fault."""
        return next((each for each in REFUSALS if each in self.codes), "")


def fault_of(root: Element) -> SoapFault | None:
    """Return the fault that an answer is, of SOAP 1.2 or 1.1; None where it is none."""
    fault = root.find(".//{*}Body/{*}Fault")
    if fault is None:
        return None
    values = [*fault.iterfind(".//{*}Code//{*}Value"), *fault.iterfind("faultcode")]
    codes = tuple(shown(value.text or "").rpartition(":")[2] for value in values)
    words = text(fault, ".//{*}Reason/{*}Text") or text(fault, "faultstring")
    return SoapFault(codes, shown(words) or (codes[-1] if codes else "fault"))


def clock(answer: Element) -> datetime | None:
    """Return the time in an answer to GetSystemDateAndTime; None where it tells none."""
    utc = answer.find(".//{*}UTCDateTime")
    of_date = (text(utc, f"{{*}}Date/{{*}}{part}") for part in ("Year", "Month", "Day"))
    of_time = (text(utc, f"{{*}}Time/{{*}}{part}") for part in ("Hour", "Minute", "Second"))
    try:
        year, month, day, hour, minute, second = map(int, (*of_date, *of_time))
        return datetime(min(year, _LAST_YEAR), month, day, hour, minute, second, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def parse(data: bytes, most: int = MAX_BYTES) -> Element:
    """The root of an answer.

    Raises:
        MalformedError: it is larger than ``most`` bytes, no XML, or declares a document type.
    """
    if len(data) > most:
        raise MalformedError(f"it is larger than {most} bytes")
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except (ParseError, ValueError, LookupError) as error:  # no XML; forbidden; unknown encoding
        raise MalformedError(f"it cannot be read: {type(error).__name__}") from None
    return root


def text(element: Element | None, path: str = ".") -> str:
    """Return the text at ``path``, on one line and shortened; empty where there is none."""
    found = None if element is None else element.find(path)
    return "" if found is None else shown(found.text or "", MAX_TEXT)


def shown(words: str, most: int = MAX_WORDS) -> str:
    """Return a camera's words fit to show: one line, printable, of limited length."""
    line = " ".join(words.split())
    return "".join(each for each in line if each.isprintable())[:most]
