"""A subscription to the events of a camera: a pull point (ONVIF Core Specification, 9.1)."""

from __future__ import annotations

import copy
import time
from contextlib import suppress
from datetime import datetime
from xml.etree.ElementTree import Element, tostring

from mirante.faults import FaultCode
from pipeline.cameras.onvif import soap
from pipeline.cameras.onvif.device import ADDRESSING, Device, OnvifError, Service
from pipeline.cameras.onvif.notices import Notice, notices_of
from pipeline.cameras.state import Fault

EVENTS = "http://www.onvif.org/ver10/events/wsdl"
NOTIFICATION = "http://docs.oasis-open.org/wsn/b-2"
_MANAGER = "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager"
LIVES_S = 60.0  # of a subscription that is not renewed
PULL_S = 10.0  # that the camera may wait with an answer for something to happen
AT_ONCE = 32  # messages of one answer
_SLACK_S = 10.0
_BOUNDS_S = (2.0, 3600.0)  # of what a camera says a subscription lives


class PullPoint:
    """The messages of one camera from the moment it was opened; used by one thread.

    Args:
        device: the camera.
        lives_s: how long a subscription is to live without a renewal.
        pull_s: how long an answer may wait for a message.
    """

    def __init__(self, device: Device, lives_s: float = LIVES_S, pull_s: float = PULL_S) -> None:
        self._device = device
        self._lives_s = lives_s
        self._pull_s = pull_s
        self._service: Service | None = None
        self._renew_s = float("inf")  # monotonic

    def open(self) -> None:
        """Subscribe.

        Raises:
            OnvifError: the camera cannot be reached, has no events, or refuses.
        """
        self._device.read_clock()
        events = self._device.at(self._events_address())
        answer = self._device.ask(
            events,
            f'<CreatePullPointSubscription xmlns="{EVENTS}"><InitialTerminationTime>'
            f"PT{self._lives_s:.0f}S</InitialTerminationTime></CreatePullPointSubscription>",
            f"{EVENTS}/EventPortType/CreatePullPointSubscriptionRequest",
        )
        reference = answer.find(".//{*}SubscriptionReference")
        address = soap.text(reference, "{*}Address") or events.address
        self._service = self._device.at(address, _parameters(reference))
        self._lives(answer)

    def pull(self) -> list[Notice]:
        """Return the next messages, none where nothing happened for ``pull_s``; renew before.

        Raises:
            OnvifError: the subscription is lost.
        """
        assert self._service is not None
        if time.monotonic() >= self._renew_s:
            self._renew()
        # A subscription that lives for a few seconds is renewed before it has ended in an answer.
        wait_s = min(self._pull_s, max(1.0, self._renew_s - time.monotonic()))
        request = (
            f'<PullMessages xmlns="{EVENTS}"><Timeout>PT{wait_s:.0f}S</Timeout>'
            f"<MessageLimit>{AT_ONCE}</MessageLimit></PullMessages>"
        )
        action = f"{EVENTS}/PullPointSubscription/PullMessagesRequest"
        within_s = self._pull_s + _SLACK_S
        return notices_of(self._device.ask(self._service, request, action, within_s=within_s))

    def close(self) -> None:
        """Unsubscribe, as cameras allow a few subscriptions only; one that is away forgets it."""
        service, self._service = self._service, None
        if service is not None:
            action = f"{_MANAGER}/UnsubscribeRequest"
            with suppress(OnvifError):
                request = f'<Unsubscribe xmlns="{NOTIFICATION}"/>'
                self._device.ask(service, request, action, within_s=2.0)
        self._device.close()

    def _renew(self) -> None:
        """Prolong the subscription. A camera that refuses does so with each pull, or forgets it."""
        assert self._service is not None
        request = (
            f'<Renew xmlns="{NOTIFICATION}"><TerminationTime>PT{self._lives_s:.0f}S'
            "</TerminationTime></Renew>"
        )
        try:
            answer = self._device.ask(self._service, request, f"{_MANAGER}/RenewRequest")
        except OnvifError as error:
            if error.said is None:
                raise
            self._renew_s = float("inf")
        else:
            self._lives(answer)

    def _lives(self, answer: Element) -> None:
        """Take from an answer when to renew: at half of the time that the camera allows."""
        lives_s = self._lives_s
        with suppress(ValueError, TypeError):  # it does not say
            now = datetime.fromisoformat(soap.text(answer, ".//{*}CurrentTime"))
            ends = datetime.fromisoformat(soap.text(answer, ".//{*}TerminationTime"))
            lives_s = min(max((ends - now).total_seconds(), _BOUNDS_S[0]), _BOUNDS_S[1])
        self._renew_s = time.monotonic() + lives_s / 2

    def _events_address(self) -> str:
        """Return the address of the event service, which older cameras name in another answer."""
        asked = "<IncludeCapability>false</IncludeCapability>"
        try:
            answer = self._device.ask(
                self._device.service, f'<GetServices xmlns="{soap.DEVICE}">{asked}</GetServices>'
            )
            for service in answer.iterfind(".//{*}Service"):
                if soap.text(service, "{*}Namespace") == EVENTS:
                    return soap.text(service, "{*}XAddr")
        except OnvifError as error:
            if error.said is None or error.said.refusal:
                raise
        request = (
            f'<GetCapabilities xmlns="{soap.DEVICE}"><Category>Events</Category></GetCapabilities>'
        )
        answer = self._device.ask(self._device.service, request)
        if address := soap.text(answer, ".//{*}Events/{*}XAddr"):
            return address
        raise OnvifError(Fault(FaultCode.NO_ONVIF, "the camera offers no events over ONVIF"))


def _parameters(reference: Element | None) -> str:
    """Return the reference parameters of a subscription as XML of headers (WS-Addressing 1.0)."""
    found = None if reference is None else reference.find("{*}ReferenceParameters")
    texts = []
    for parameter in found if found is not None else ():
        header = copy.copy(parameter)
        header.set(f"{{{ADDRESSING}}}IsReferenceParameter", "true")
        header.tail = None
        texts.append(tostring(header, encoding="unicode"))
    return "".join(texts)
