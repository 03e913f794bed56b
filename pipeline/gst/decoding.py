"""Which decoder a camera's graph takes: asked by decodebin of each that could."""

from __future__ import annotations

import logging
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GObject, Gst

from pipeline.gst.decoder_proof import distrust, prove
from pipeline.gst.decoders import (
    CHOSEN_RANK,
    CODECS,
    HardwareDecoder,
    hardware_decoders,
    is_decoder,
    is_hardware,
    may_stay,
)
from pipeline.gst.formats import unnamed
from plugins.bindings import structure_of
from plugins.device.decoder import NAME as NVDEC
from plugins.device.decoder import offer
from plugins.device.gpu import gpu
from plugins.device.sharing import share

_TRY, _SKIP = 0, 2  # GstAutoplugSelectResult
_SELECT = "autoplug-select"
_log = logging.getLogger(__name__)


class Decoding:
    """Lets decodebin try a hardware decoder only where it was proved, or was asked for by name.

    Args:
        decode: the camera's option: "auto", "software", or a device.

    Attributes:
        refusal: why nothing decodes this stream as the option says; else empty.
        words: why a hardware decoder that is here is not used; else empty.
        name: the element that decodes; None while there is none.
    """

    def __init__(self, decode: str) -> None:
        self.refusal = ""
        self.words = ""
        self.name: str | None = None
        self._is_forced = decode not in {"auto", "software"}
        self._on_gpu = decode == "nvidia"
        device = decode if self._is_forced else None
        self._hardware = [] if decode == "software" else hardware_decoders(device)
        self._used: dict[str, str] = {}  # hardware decoders in the graph, and what they decode
        self._chosen: dict[str, HardwareDecoder | None] = {}
        self._staying: set[str] = set()  # what is decoded into frames that stay on the GPU

    def install(self, decoder: Any) -> None:
        """Watch the element that finds decoders; another kind of element decodes by itself.

        What is not in hardware here costs nothing: only ranks are read.
        """
        if decoder is None or not GObject.signal_lookup(_SELECT, decoder):
            factory = decoder.get_factory() if decoder is not None else None
            self.name = factory.get_name() if factory is not None and is_decoder(factory) else None
            return
        for each in self._hardware:  # those of rank 0 are never offered
            factory = Gst.ElementFactory.find(each.name)
            if factory is not None and factory.get_rank() < CHOSEN_RANK:
                factory.set_rank(CHOSEN_RANK)
        decoder.connect(_SELECT, self._select)

    def note(self, factory: Any, element: Any) -> bool:
        """Note a decoder that was put into the graph; return False if it is a part of another."""
        if any(_is_inside(element.get_parent(), each) for each in self._used):
            return False
        self.name = factory.get_name()
        if is_hardware(factory):
            caps = element.get_static_pad("sink").get_pad_template_caps()
            media = next((m for m in CODECS if caps.can_intersect(Gst.Caps.from_string(m))), "")
            self._used[factory.get_name()] = media
        return True

    def blame(self, words: str, source: Any = None) -> str:
        """Note that the graph failed; return in words which hardware decoder failed, or nothing.

        Args:
            words: what happened.
            source: the element that said so; None when images merely do not come out.
        """
        for name, media in self._used.items():
            if self._is_forced:
                is_its_own = source is not None and _is_inside(source, name)
                return f"{name} failed: {words}" if is_its_own else ""
            if source is None or _is_inside(source, name):
                codec = CODECS.get(media, media)
                distrust(name, media, f"for {codec} it failed on a camera's stream: {words}")
                return f"{name} failed, so that software decodes from now on: {words}"
        return ""

    def _select(self, decoder: Any, _pad: Any, caps: Any, factory: Any) -> int:
        try:
            taken = self._judge(caps, factory)
            media = structure_of(caps).get_name()
            if taken == _TRY and media in self._staying and is_decoder(factory):
                _leave_there(decoder, factory.get_name())
            return taken
        except Exception:  # noqa: BLE001  # it would end in C, unseen
            _log.exception("a decoder could not be chosen")
            return _SKIP if is_hardware(factory) else _TRY

    def _judge(self, caps: Any, factory: Any) -> int:
        if not is_decoder(factory):
            return _TRY
        media = structure_of(caps).get_name()
        chosen = self._choice(media)
        if is_hardware(factory):
            return _TRY if chosen is not None and chosen.name == factory.get_name() else _SKIP
        if self._is_forced:
            if chosen is None:
                self.refusal = self.refusal or self._no_decoder(media)
            return _SKIP
        self.refusal = unnamed(caps)
        return _SKIP if self.refusal else _TRY

    def _choice(self, media: str) -> HardwareDecoder | None:
        if media not in self._chosen:
            self._chosen[media] = self._choose(media)
        return self._chosen[media]

    def _choose(self, media: str) -> HardwareDecoder | None:
        able = [each for each in self._hardware if media in each.media]
        said: list[str] = []
        if self._on_gpu and (staying := [each for each in able if may_stay(each, media)]):
            if (stays := self._choose_staying(staying, media)) is not None:
                return stays
            able = [each for each in able if each.name != NVDEC]
        for each in able:
            proof = prove(each.name, media)
            if proof.good:
                return each
            said.append(f"{each.name} is not used, as {proof.words}")
        if self._is_forced and able:
            why = prove(able[0].name, media).words
            forced = f"decode is forced: {able[0].name} is used, though {why}"
            self.words = "; ".join(each for each in (forced, self.words) if each)
            return able[0]
        if able:
            self.words = f"decoded in software: {'; '.join(said)}"
        return None

    def _choose_staying(self, able: list[HardwareDecoder], media: str) -> HardwareDecoder | None:
        """Return the first whose frames may stay on the GPU; notes why none's may."""
        said = []
        for each in able:
            proof = prove(each.name, media, on_gpu=True)
            if proof.good:
                self._staying.add(media)
                return each
            said.append(f"{each.name}: {proof.words}")
        if len(able) == 1 and able[0].name != NVDEC and (words := offer()):
            said.append(words)
        self.words = f"frames come to main memory, as none may stay on the GPU: {'; '.join(said)}"
        if all(each.name == NVDEC for each in able):
            codec = CODECS.get(media, media)
            self.refusal = f"nothing here decodes {codec} on the GPU: {'; '.join(said)}"
        return None

    def _no_decoder(self, media: str) -> str:
        names = [f"{each.name} ({CODECS[m]})" for each in self._hardware for m in each.media]
        return (
            f"no decoder of the device that decode names for {CODECS.get(media, media)}; it has: "
            f"{', '.join(names)}"
        )


def _leave_there(decoder: Any, name: str) -> None:
    """Have the frames of a decoder that decodebin is about to add stay on the GPU, where its graph
    has the element for that.
    """
    surface = decoder.get_parent().get_by_name("surface")
    if surface is None:
        return
    if name != NVDEC:
        share(decoder, gpu().context)
    surface.set_property("stays", True)


def _is_inside(element: Any, factory: str) -> bool:
    """Return whether an element, or one around it, is of a factory."""
    while element is not None:
        made_by = element.get_factory() if isinstance(element, Gst.Element) else None
        if made_by is not None and made_by.get_name() == factory:
            return True
        element = element.get_parent()
    return False
