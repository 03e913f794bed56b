"""The streams of one camera: device and media service of ONVIF, over HTTP.

Asked is the Media2 service of Profile T where there is one, as it alone can tell H.265, else the
media service of Profile S.

A camera is spoken to only at the address from which it answered: what it says about other machines
is refused, so that it cannot make this one talk to them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

import httpx

from dashboard.onvif.discovery import Answer, is_at
from dashboard.onvif.profile import Profile, profile_of
from pipeline.cameras.onvif import soap
from pipeline.cameras.sources.rtsp import RTSP
from pipeline.config.camera_url import CameraUrl

CAMERA_S = 10.0
REQUEST_S = 4.0
MAX_PROFILES = 8

_MEDIA = "http://www.onvif.org/ver10/media/wsdl"
_MEDIA2 = "http://www.onvif.org/ver20/media/wsdl"
_SCHEMA = "http://www.onvif.org/ver10/schema"
# Per service, what its profiles and the address of one's stream are asked for with.
_REQUESTS = {
    _MEDIA: (
        f'<GetProfiles xmlns="{_MEDIA}"/>',
        f'<GetStreamUri xmlns="{_MEDIA}"><StreamSetup>'
        f'<Stream xmlns="{_SCHEMA}">RTP-Unicast</Stream>'
        f'<Transport xmlns="{_SCHEMA}"><Protocol>RTSP</Protocol></Transport></StreamSetup>'
        "<ProfileToken>{profile}</ProfileToken></GetStreamUri>",
    ),
    _MEDIA2: (
        f'<GetProfiles xmlns="{_MEDIA2}"><Type>VideoEncoder</Type></GetProfiles>',
        f'<GetStreamUri xmlns="{_MEDIA2}"><Protocol>RTSP</Protocol>'
        "<ProfileToken>{profile}</ProfileToken></GetStreamUri>",
    ),
}


class DeviceError(RuntimeError):
    """A camera gave no answer that can be used; in words."""


class WantsPasswordError(DeviceError):
    """A camera refuses who asks."""


@dataclass(frozen=True, slots=True)
class Streams:
    """The streams that a camera offers.

    Attributes:
        profiles: each address once, the camera's first profile first.
        words: what kept it from telling all, or empty.
    """

    profiles: tuple[Profile, ...] = ()
    words: str = ""

    @property
    def urls(self) -> tuple[str, ...]:
        """RTSP addresses without credentials."""
        return tuple(profile.url for profile in self.profiles)


async def streams(camera: Answer, login: soap.Login | None) -> Streams:
    """Asks a camera for the addresses of its streams; never raises for what a camera does."""
    try:
        # Never through a proxy, and never on to where a camera would redirect.
        async with (
            asyncio.timeout(CAMERA_S),
            httpx.AsyncClient(
                timeout=REQUEST_S,
                trust_env=False,
                verify=False,  # noqa: S501 - cameras sign their own certificates
                headers={"Accept-Encoding": "identity"},
            ) as client,
        ):
            return await _Device(client, camera, login).streams()
    except TimeoutError:
        return Streams(words=f"it did not finish answering within {CAMERA_S:g} s")
    except DeviceError as error:
        return Streams(words=str(error))


class _Device:
    """A conversation with one camera."""

    def __init__(self, client: httpx.AsyncClient, camera: Answer, login: soap.Login | None) -> None:
        self._client = client
        self._camera = camera
        self._login = login
        self._ahead = timedelta()  # of the camera's clock

    async def streams(self) -> Streams:
        """The addresses of up to ``MAX_PROFILES`` profiles."""
        if self._login is not None:
            self._ahead = await self._clock_ahead()
        try:
            if (newer := await self._media2()) and (found := await self._offered(newer, _MEDIA2)):
                return found
        except DeviceError:  # the older service says what is wrong
            pass
        found = await self._offered(await self._media(), _MEDIA)
        return found or Streams(words="it has no stream that is set up")

    async def _offered(self, service: str, kind: str) -> Streams | None:
        """The streams that a media service names; None where it names none and says no reason."""
        request, stream_uri = _REQUESTS[kind]
        answer = await self._ask(service, request)
        found: dict[str, Profile] = {}  # by address
        refused = ""
        for said in list(answer.iterfind(".//{*}Profiles"))[:MAX_PROFILES]:
            if not (token := said.get("token")):
                continue
            try:
                answer = await self._ask(service, stream_uri.format(profile=escape(token)))
                url = self._own_stream(soap.text(answer, ".//{*}Uri"))
                found.setdefault(url, profile_of(said, url))
            except DeviceError as error:
                refused = str(error)
        return Streams(tuple(found.values()), refused) if found or refused else None

    async def _media2(self) -> str | None:
        """The address of its Media2 service; None where it has none, or not at its own address."""
        inside = "<IncludeCapability>false</IncludeCapability>"
        request = f'<GetServices xmlns="{soap.DEVICE}">{inside}</GetServices>'
        answer = await self._ask(self._camera.service, request)
        for service in answer.iterfind(".//{*}Service"):
            if soap.text(service, "{*}Namespace") == _MEDIA2:
                address = soap.text(service, "{*}XAddr")
                return address if is_at(address, self._camera.address) else None
        return None

    async def _clock_ahead(self) -> timedelta:
        """Return the camera's clock minus ours: it refuses a password proven at another time."""
        request = f'<GetSystemDateAndTime xmlns="{soap.DEVICE}"/>'
        try:
            answer = await self._ask(self._camera.service, request, proven=False)
        except DeviceError:  # what matters comes next, and says what is wrong
            return timedelta()
        theirs = soap.clock(answer)
        return timedelta() if theirs is None else theirs - datetime.now(UTC)

    async def _media(self) -> str:
        request = (
            f'<GetCapabilities xmlns="{soap.DEVICE}"><Category>Media</Category></GetCapabilities>'
        )
        answer = await self._ask(self._camera.service, request)
        media = soap.text(answer, ".//{*}Media/{*}XAddr")
        if not media:
            raise DeviceError("it offers no media service")
        if not is_at(media, self._camera.address):
            raise DeviceError(
                f"its media service is at another address ({_host(media)}): not asked"
            )
        return media

    def _own_stream(self, uri: str) -> str:
        try:
            # Without the user in front of the host, and *** for what stands in parameters.
            url = str(CameraUrl(CameraUrl(uri).bare)) if uri else ""
        except ValueError:
            url = ""
        if not url.startswith(tuple(f"{scheme}://" for scheme in RTSP.schemes)):
            raise DeviceError("one of its streams has no RTSP address")
        if not is_at(url, self._camera.address, tuple(RTSP.schemes)):
            raise DeviceError(f"one of its streams is at another address ({_host(url)}): left out")
        return url

    async def _ask(self, service: str, request: str, *, proven: bool = True) -> Element:
        """Send one request and return its answer.

        Raises:
            WantsPasswordError: it must be told a user, or another.
            DeviceError: it cannot be reached, or its answer cannot be used.
        """
        header = ""
        if self._login is not None and proven:
            header = self._login.token(datetime.now(UTC) + self._ahead)
        status, content = await self._post(service, soap.envelope(request, header))
        root: Element | None = None
        try:
            root = soap.parse(content)
            trouble = _fault(root)
        except soap.MalformedError as error:
            trouble = f"its answer was ignored: {error}"
        if status == httpx.codes.UNAUTHORIZED or trouble in soap.REFUSALS:
            raise WantsPasswordError(self._refusal())
        if status != httpx.codes.OK and (root is None or not trouble):
            raise DeviceError(f"it answered with HTTP status {status}")
        if trouble or root is None:
            raise DeviceError(trouble)
        return root

    def _refusal(self) -> str:
        if self._login is None:
            return "it wants a password: give the user and password of the camera"
        return "it refuses this user and password (WS-UsernameToken)"

    async def _post(self, service: str, message: bytes) -> tuple[int, bytes]:
        content = bytearray()
        kind = {"Content-Type": "application/soap+xml; charset=utf-8"}
        try:
            async with self._client.stream(
                "POST", service, content=message, headers=kind
            ) as answer:
                # As it comes on the wire: what is small and compressed may be vast unpacked.
                async for part in answer.aiter_raw():
                    content += part
                    if len(content) > soap.MAX_BYTES:
                        raise DeviceError(f"its answer is larger than {soap.MAX_BYTES} bytes")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DeviceError(f"its ONVIF service cannot be reached: {_why(error)}") from None
        return answer.status_code, bytes(content)


def _fault(root: Element) -> str:
    """Return one of ``soap.REFUSALS``, the words of another fault, or an empty string."""
    fault = soap.fault_of(root)
    if fault is None:
        return ""
    return fault.refusal or f"it says: {fault.words}"


def _host(url: str) -> str:
    try:
        return soap.shown(urlsplit(url).hostname or "") or "none"
    except ValueError:
        return "none"


def _why(error: Exception) -> str:
    return soap.shown(str(error)) or type(error).__name__
