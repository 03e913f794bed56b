"""One hook as a bridge: events in the order of each camera, sent until they are taken."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import redis

from bridges.parcel import AwayError, Parcel
from bridges.webhook.composing import Composer, trial_event
from bridges.webhook.options import Hook
from bridges.webhook.posting import AT_ONCE, Answer, Poster
from bridges.webhook.templates import BadTemplateError
from mirante.client.items import ReceivedEvent
from mirante.client.plan import SubscribedKind
from mirante.redis_url import RedisUrl
from pipeline.config.image_links import ImageLinks
from pipeline.control.event_images import event_image

log = logging.getLogger("mirante.bridge")

_ROUND_S = 5.0  # after which a round says how far it came


class HookBridge:
    """Carries events to one address.

    Events of a camera go one after the other, those of several cameras beside each other.

    Args:
        name: of the bridge.
        hook: where to, and as what.
        links: of images.
        address: of Redis, where the images are.
        stop: set when it is to end.
    """

    kind = "webhook"
    kinds: tuple[SubscribedKind, ...] = ("events",)

    def __init__(
        self,
        name: str,
        hook: Hook,
        links: ImageLinks | None,
        address: RedisUrl,
        stop: threading.Event,
    ) -> None:
        self.target = hook.shown
        self._name, self._hook, self._stop = name, hook, stop
        self._composer = Composer(hook, links)
        self._poster = Poster(hook.timeout_s, hook.ca)
        self._redis = address.client()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix=name)
        self._down_s: float | None = None  # since when nothing was taken
        self._not_before_s = 0.0

    def open(self) -> None:
        """Nothing is opened before the first event."""

    def close(self) -> None:
        """Let go of connections and threads."""
        self._pool.shutdown()
        self._poster.close()
        self._redis.close()

    def deliver(self, parcels: list[Parcel]) -> None:
        """Send events, each until it is taken, refused for good, or is to be tried again.

        Raises:
            AwayError: one is to be tried again.
        """
        self._stop.wait(min(self._left_s(), _ROUND_S))
        lines = defaultdict[str, list[Parcel]](list)
        for parcel in parcels:
            lines[parcel.held.stream].append(parcel)
        if len(lines) == 1:
            failures = [self._send_line(parcels)]
        else:
            failures = list(self._pool.map(self._send_line, lines.values()))
        words = next((each for each in failures if each), "")
        if words:
            raise AwayError(words)

    def test(self) -> Answer:
        """Send an event that is clearly a test, once."""
        return self._poster.post(self._composer.request(trial_event(time.time())))

    def send_once(self, event: ReceivedEvent) -> Answer:
        """Send an event once, and return what came of it."""
        try:
            request = self._composer.request(event, self._image(event))
        except BadTemplateError as error:
            return Answer(None, f"template: {error}", is_ours=True)
        except redis.RedisError as error:
            return Answer(None, f"its image cannot be read: {error}")
        return self._poster.post(request)

    def _send_line(self, parcels: list[Parcel]) -> str:
        """Send one camera's events in order; return why the next is to be tried again."""
        for parcel in parcels:
            if self._stop.is_set():
                return ""
            if (left_s := self._left_s()) > 0:
                return f"asked to wait {left_s:.0f} s more"
            words = self._send(parcel)
            if words:
                return words
        return ""

    def _send(self, parcel: Parcel) -> str:
        event = parcel.item
        assert isinstance(event, ReceivedEvent)
        answer = self.send_once(event)
        if answer.meaning == "again":
            return self._failed(parcel, answer)
        self._down_s = None
        if answer.meaning == "taken":
            parcel.done()
        else:
            parcel.dead(answer.words)
        return ""

    def _failed(self, parcel: Parcel, answer: Answer) -> str:
        """Note a failure; give the event up where they have lasted too long."""
        now_s = time.monotonic()
        if self._down_s is None:
            self._down_s = now_s
        if now_s - self._down_s >= self._hook.give_up_s:
            parcel.dead(f"{answer.words}; nothing was taken for {now_s - self._down_s:.0f} s")
            return ""
        if answer.wait_s:
            self._not_before_s = now_s + answer.wait_s
        return answer.words

    def _left_s(self) -> float:
        return max(0.0, self._not_before_s - time.monotonic())

    def _image(self, event: ReceivedEvent) -> bytes:
        """The JPEG to attach; empty where none is wanted, or it is not kept any more.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        if self._hook.image != "attach" or not event.image:
            return b""
        jpeg = event_image(self._redis, event.camera, event.entry_id)
        if not jpeg:
            log.warning("%s: the image of %s is not kept any more", self._name, event.id)
        return jpeg
