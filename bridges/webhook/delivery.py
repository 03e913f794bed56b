"""One hook as a bridge: a lane for each camera, whose events are sent until they are taken."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import redis

from bridges.parcel import AwayError, Parcel
from bridges.webhook.composing import Composer, trial_event
from bridges.webhook.options import Hook
from bridges.webhook.posting import AT_ONCE, Answer, Poster
from bridges.webhook.templates import BadTemplateError
from mirante.backoff import Backoff
from mirante.client.items import ReceivedEvent
from mirante.client.plan import SubscribedKind
from mirante.keys import camera_of
from mirante.redis_url import RedisUrl
from pipeline.config.image_links import ImageLinks
from pipeline.control.event_images import event_image

log = logging.getLogger("mirante.bridge")

_LANES = 128  # that work at once; most wait for their next try
_LIMITED = 429


@dataclass
class _Lane:
    """One camera's events, in order.

    Attributes:
        backoff: of its tries.
        waiting: what was not taken yet; the first is being sent.
        is_working: a thread sends.
        words: why the first is to be tried again; empty where it was not tried.
        down_s: since when nothing was taken; None while all is.
    """

    backoff: Backoff
    waiting: deque[Parcel] = field(default_factory=deque)
    is_working: bool = False
    words: str = ""
    down_s: float | None = None


class HookBridge:
    """Carries events to one address. Each camera has a lane: one whose event is not taken, or that
    is slow, delays itself alone.

    Args:
        name: of the bridge.
        hook: where to, and as what.
        links: of images.
        address: of Redis, where the images are.
    """

    kind = "webhook"
    kinds: tuple[SubscribedKind, ...] = ("events",)

    def __init__(self, name: str, hook: Hook, links: ImageLinks | None, address: RedisUrl) -> None:
        self.target = hook.shown
        self._name, self._hook = name, hook
        self._composer = Composer(hook, links)
        self._poster = Poster(hook.timeout_s, hook.ca)
        self._redis = address.client()
        self._pool = ThreadPoolExecutor(_LANES, thread_name_prefix=name)
        self._over = threading.Event()
        self._lock = threading.Lock()  # of all below
        self._turns = threading.Semaphore(AT_ONCE)
        self._lanes: dict[str, _Lane] = {}
        self._known: set[int] = set()  # parcels in lanes, by identity
        self._failures: list[str] = []  # since the last delivery
        self._not_before_s = 0.0  # of all lanes
        self._taken_s = float("-inf")
        self._broken: Exception | None = None

    def open(self) -> None:
        """Nothing is opened before the first event."""

    def close(self) -> None:
        """Wait for the requests that are on their way, and let go of connections and threads."""
        self._over.set()
        self._pool.shutdown()
        self._poster.close()
        self._redis.close()

    def deliver(self, parcels: list[Parcel]) -> None:
        """Put events into the lanes of their cameras; returns at once.

        Raises:
            AwayError: one is to be tried again, or was.
            RuntimeError: nothing is sent any more, for a mistake of ours.
        """
        if self._broken is not None:
            raise RuntimeError(f"a lane broke: {self._broken!r}") from self._broken
        with self._lock:
            for parcel in parcels:
                if parcel.state == "waits" and id(parcel) not in self._known:
                    self._put(parcel)
            failures, self._failures = self._failures, []
            words = [lane.words for lane in self._lanes.values() if lane.words] or failures[-1:]
        if words:
            raise AwayError(words[0], len(failures))

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

    def _put(self, parcel: Parcel) -> None:
        self._known.add(id(parcel))
        stream = parcel.held.stream
        if stream not in self._lanes:
            self._lanes[stream] = _Lane(Backoff(self._hook.first_s, self._hook.most_s))
        lane = self._lanes[stream]
        lane.waiting.append(parcel)
        if not lane.is_working:
            lane.is_working = True
            self._pool.submit(self._work, lane)

    def _work(self, lane: _Lane) -> None:
        try:
            self._send_all(lane)
        except Exception as error:  # noqa: BLE001 raised by ``deliver``, in the bridge's thread
            self._broken = error

    def _send_all(self, lane: _Lane) -> None:
        """Send what is in a lane, until nothing is."""
        while not self._over.is_set():
            with self._lock:
                if not lane.waiting:
                    lane.is_working = False
                    return
                parcel = lane.waiting[0]
            wait_s = self._not_before_s - time.monotonic()
            if wait_s <= 0:
                wait_s = self._send(lane, parcel)
            self._over.wait(max(0.0, wait_s))

    def _send(self, lane: _Lane, parcel: Parcel) -> float:
        """Try once; return the seconds until the lane goes on."""
        event = parcel.item
        assert isinstance(event, ReceivedEvent)
        with self._turns:
            if self._over.is_set():
                return 0.0
            answer = self.send_once(event)
        now_s = time.monotonic()
        with self._lock:
            if answer.meaning == "again" and not self._is_over(lane, parcel, answer, now_s):
                return self._again(lane, parcel, answer, now_s)
            if answer.meaning == "taken":
                parcel.done()
                self._taken_s = now_s
            elif answer.meaning == "never":
                parcel.dead(answer.words)
            if answer.meaning != "again":
                lane.down_s = None
            lane.waiting.popleft()
            lane.words = ""
            lane.backoff.reset()
            self._known.discard(id(parcel))
        return 0.0

    def _is_over(self, lane: _Lane, parcel: Parcel, answer: Answer, now_s: float) -> bool:
        """Give an event up where its camera's have failed for too long; return whether it is."""
        is_first = not lane.words
        if lane.down_s is None or (is_first and self._taken_s > lane.down_s):
            lane.down_s = now_s  # where others were taken meanwhile, it was not the address
        lasted_s = now_s - lane.down_s
        if lasted_s < self._hook.give_up_s:
            return False
        camera = camera_of(parcel.held.stream)
        parcel.dead(f"{answer.words}; nothing of {camera} was taken for {lasted_s:.0f} s")
        return True

    def _again(self, lane: _Lane, parcel: Parcel, answer: Answer, now_s: float) -> float:
        """Note a failure; return the pause after it."""
        lane.words = f"{camera_of(parcel.held.stream)}: {answer.words}"
        self._failures.append(lane.words)
        wait_s = answer.wait_s or 0.0
        if answer.status == _LIMITED:  # that is about the address, whatever is sent there
            self._not_before_s = max(self._not_before_s, now_s + wait_s)
        return max(lane.backoff.next_s(), wait_s)

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
