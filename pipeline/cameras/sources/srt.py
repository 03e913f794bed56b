"""SRT, with MPEG-TS inside: the worker calls the camera, or the camera the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirante.faults import FaultCode
from pipeline.cameras.reach import reach as reach_host
from pipeline.cameras.sources import receiver
from pipeline.cameras.sources.base import BAD, DECODE, Meaning, Part, Source, SourceKind
from pipeline.cameras.sources.query import Keys, options_of
from pipeline.cameras.state import Fault, no_sender
from pipeline.config.camera_url import CameraUrl
from pipeline.config.launch import quoted
from pipeline.config.source_kinds import Address, Endpoint, Row

if TYPE_CHECKING:
    from pipeline.config.camera import Camera

POLL_MS = 200
SECRETS = {"streamid", "passphrase"}
KEYS: Keys = {
    "mode": ("caller|listener", "caller or listener"),
    "latency": (r"\d{1,5}", "milliseconds, 0 to 99999"),
    "streamid": (r".{1,512}", "at most 512 characters"),
    "passphrase": (r".{10,79}", "10 to 79 characters"),
    "pbkeylen": ("16|24|32", "16, 24 or 32"),
}


def _options(query: str) -> dict[str, str]:
    return options_of(query, KEYS)


def _is_listener(url: Address) -> bool:
    """True without a host too: nobody is there to be called."""
    mode = _options(url.query).get("mode", "caller" if url.host else "listener")
    if mode == "caller" and not url.host:
        raise ValueError('"mode=caller": expected srt://host:port')
    return mode == "listener"


def _source(spec: Camera) -> Source:
    """A lost connection is this project's to open again: the element would do so in silence.

    The order counts: ``uri`` undoes what stands before it, and only its own ``mode`` binds to its
    host; ``authentication``, which asks for each caller, sets ``auto-reconnect`` too. Without
    ``poll-timeout`` a stop waits until a peer that is gone counts as lost, 5 s.
    """
    url, options = spec.url, _options(spec.url.query)
    mode = "listener" if _is_listener(url) else "caller"
    launch = (
        f"srtsrc name=source uri={quoted(f'{receiver.sender_of(url)}?mode={mode}')} "
        f"latency={options.get('latency', spec.latency_ms)} authentication=true "
        f"auto-reconnect=false poll-timeout={POLL_MS} "
    )
    if "pbkeylen" in options:
        launch += f"pbkeylen={options['pbkeylen']} "
    secrets = {key: options[key] for key in SECRETS & options.keys()}
    return Source(
        f'{launch}! capsfilter caps="{receiver.MPEG_TS}" ! {DECODE}',
        secrets=secrets,
        sender=receiver.sender_of(url) if mode == "listener" else "",
        is_called=mode == "listener",
    )


def _reach(url: CameraUrl, timeout_s: float) -> Fault | None:
    if _is_listener(url):
        return receiver.reach(url, timeout_s)
    return reach_host(url, timeout_s)


def _explain(url: CameraUrl, meaning: Meaning, words: str) -> Fault | None:
    """The words are those of libsrt."""
    if "assphrase" in words or "authenticate" in words:
        return Fault(FaultCode.BAD_PASSPHRASE, FaultCode.BAD_PASSPHRASE.words)
    if _is_listener(url):
        hung_up = meaning == "read"  # which libsrt tells as an end, or as a socket gone
        sender = receiver.sender_of(url)
        return no_sender(sender) if hung_up else receiver.explain(url, meaning, words)
    place = f"{url.host}:{url.port}"
    if "timeout" in words:
        words = f"{place} does not answer: switched off, or behind a firewall"
        return Fault(FaultCode.UNREACHABLE, words)
    if "Rogue peer" in words or "rejected" in words:
        return Fault(
            FaultCode.CALL_REFUSED, f"{place} refuses the call: no such streamid, or taken"
        )
    if meaning == "read":
        return Fault(FaultCode.ENDED, FaultCode.ENDED.words)
    return None


SRT = SourceKind(
    schemes={"srt": Endpoint(None, "udp", needs_host=False, has_login=False)},
    form="srt://",
    title="SRT",
    start="srt://",
    example="srt://192.0.2.10:8890?streamid=gate",
    hint="A camera or server that is called; without a host the worker is called by it.",
    rows=(
        Row(
            "`srt://host:8890?streamid=gate`",
            "SRT with MPEG-TS inside; the worker calls",
            "`passphrase`, `latency` in ms (else `latency_ms`), `pbkeylen`",
        ),
        Row(
            "`srt://:7001`, `srt://host:7001?mode=listener`",
            "the same; the camera or encoder calls the worker",
            "likewise; one sender at a time",
        ),
    ),
    has_fragment=False,
    check_query=_options,
    check=_is_listener,
    source=_source,
    parts=(Part("srtsrc", "srt:// cameras", BAD), Part("tsdemux", "MPEG-TS", BAD)),
    detailed=True,
    reach=_reach,
    explain=_explain,
)
