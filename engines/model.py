"""A model: images in, detections, masks or attributes in source pixels out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engines.batcher import Batchers
from engines.decoders import Decoder, bind
from engines.fit import Threshold, check_inputs, of_parts, spec_of, thresholds
from engines.found import Found
from engines.head import Head
from engines.image import Image, image_of
from engines.inference import Inference, View, combined
from engines.made import network_of
from engines.manifest import Manifest, ManifestError, find
from engines.placement import Placement, Region, Size, around
from engines.runner import Runner
from engines.runtimes import RunError, Session, Tensors, open_remote_session, open_session
from engines.store.engines import check_whole
from engines.store.models import Progress
from mirante.detections import Detections
from mirante.frame import FrameResult

_STEPS = "preprocess", "infer", "decode"


def load(
    name: str,
    *,
    threads: int = 1,
    threshold: Threshold = None,
    on: str | None = None,
    runtime: str | None = None,
    progress: Progress | None = None,
    batchers: Batchers | None = None,
) -> Model:
    """Finds, verifies, loads and tries out a model; what is wrong with it is said here.

    Args:
        name: a zoo model, or the path of a manifest (.yaml).
        threads: inside one inference.
        threshold: least score, of all labels or by label; None for the manifest's.
        on: run on the crops of this class of detections instead of on the whole frame.
        runtime: what executes the file; None for what the manifest says.
        progress: called with (bytes so far, bytes in all or None) while downloading.
        batchers: of the models that share their calls; None for a model by itself.

    Raises:
        ManifestError: no such model, its manifest is wrong, or its file does not fit it.
        ModelUnavailableError: its file is not available anywhere.
        UnknownNameError: no such decoder or runtime.
        ImportError: the runtime's library is missing; names the extra that has it.
        RuntimeError: the runtime refuses the file, or its server is out of reach; or the network's
            outputs are not finite.
        ValueError: a threshold or thread count out of bounds, a threshold for no label, or another
            runtime than its server's.
    """
    if threads < 1:
        raise ValueError(f"threads: expected >= 1, got {threads}")
    manifest = find(name)
    least = thresholds(manifest, threshold)
    manifest, session = opened(manifest, threads, runtime, progress, batchers)
    model = Model(manifest, session, least, on)
    model.try_out()
    return model


def session_of(manifest: Manifest, threads: int) -> Session:
    """Open what executes a model. Arguments: see ``load``."""
    return opened(manifest, threads)[1]


def opened(
    manifest: Manifest,
    threads: int,
    runtime: str | None = None,
    progress: Progress | None = None,
    batchers: Batchers | None = None,
) -> tuple[Manifest, Session]:
    """Open what executes a model: its network in a runtime, or its server.

    Returns:
        The manifest that fits the network, and the session. Arguments: see ``load``.
    """
    if manifest.server is None:
        manifest, path = network_of(manifest, progress)
        check_whole(path.parent)
        session = open_session(runtime or manifest.runs_on, path, threads)
        most = getattr(session, "largest_batch", 1)  # of engines on a GPU, where batches pay
        return manifest, (batchers or Batchers()).of(session, most) if most > 1 else session
    if runtime not in (None, manifest.runs_on):
        raise ValueError(
            f"runtime: model {manifest.name} is on a server, by {manifest.runs_on}; got {runtime}"
        )
    return manifest, open_remote_session(manifest.runs_on, manifest.server)


class ModelHead:
    """One reading of a model's outputs.

    Attributes:
        labels, task, decoder, kind: as in a manifest.
        skeleton: of its key points; None where it has none.
        part: as the manifest has it.
        spec: what its decoder knows.
    """

    def __init__(self, part: Head, threshold: NDArray[np.float32], size: Size) -> None:
        self.labels, self.task, self.decoder, self.kind = (
            part.labels,
            part.task,
            part.decoder,
            part.kind,
        )
        self.skeleton = part.bones
        self._cut, self.spec = part.cut, spec_of(part, threshold, size)
        self.part = part
        self._decode: Decoder = bind(part.decoder, part.options)

    def decode(self, outputs: Tensors, size: Size) -> Found:
        """Return what is found, in pixels of an input tensor of ``size``."""
        found = self._decode(
            outputs, self.spec if size == self.spec.size else replace(self.spec, size=size)
        )
        return self.wanted(found)

    def wanted(self, found: Found) -> Found:
        """Return of what the network finds what was asked for."""
        return found.only(self._cut) if self._cut else found


class Model:
    """A model for one thread: it owns its input tensor. Sessions are shared beneath.

    Attributes:
        name: the manifest's name.
        labels: all that it finds: class names of a detector or classifier, plane names of a
            segmenter.
        task: what it is for, in words.
        heads: what is read from its outputs; a network with several tasks has several.
        on: the class on whose crops it runs, or None.
        manifest: all else that is known about it.
    """

    def __init__(
        self,
        manifest: Manifest,
        session: Session,
        threshold: NDArray[np.float32],
        on: str | None = None,
    ) -> None:
        self.manifest = manifest
        self.name, self.task = manifest.name, manifest.tasks
        self.labels = manifest.every_label
        self.on = on
        self._session, self._threshold = session, threshold
        try:
            self.heads = tuple(
                ModelHead(part, least, manifest.input.size)
                for part, least in zip(manifest.parts, of_parts(manifest, threshold), strict=True)
            )
            check_inputs(manifest, session)
            if on is not None and manifest.input.frame is not None:
                raise ValueError(f"on: expected none with input.frame, got {on}")
            heads = [(head.part, head.spec) for head in self.heads]
            self._runner = Runner(self.name, manifest.input, session, heads)
        except ValueError as error:
            raise ManifestError(f"model {manifest.name}: {error}") from error

    def __call__(
        self,
        rgb: NDArray[np.uint8] | Image,
        source: Size | None = None,
        detections: Detections | None = None,
        by_s: float | None = None,
    ) -> Inference:
        """Runs on one frame, or on its crops where the model was loaded with ``on``.

        Returns:
            What all heads find. Boxes of several have the labels of all of them.

        Args:
            rgb: (height, width, 3) uint8 RGB, where rows may be padded, or an image. Not written
                to, not kept.
            source: width and height of the source frame, in whose pixels results are; the size
                of ``rgb`` when None.
            detections: what earlier models found, in source pixels; needed with ``on``.
            by_s: when the result is wanted (``time.monotonic``): no batch waits for others beyond
                that, and of those that wait the first is run first. None for whenever it comes.

        Raises:
            ValueError: ``rgb`` is another array, or nothing detects the class of ``on``.
        """
        per_head = self.of_heads(rgb, source, detections, by_s)
        return combined(per_head, [head.kind.finds_boxes for head in self.heads])

    def of_heads(
        self,
        rgb: NDArray[np.uint8] | Image,
        source: Size | None = None,
        detections: Detections | None = None,
        by_s: float | None = None,
    ) -> tuple[Inference, ...]:
        """Return what each head finds, from one inference; arguments and errors as of a call."""
        image = image_of(rgb)
        size = image.size
        source = source or size
        zoom = (source[0] / size[0], source[1] / size[1])
        views: list[tuple[int | None, Region | None]] = [(None, None)]
        if self.on is not None:
            views = [*self._crops(detections, zoom)]
        timings = dict.fromkeys(_STEPS, 0.0)
        found: list[Inference] = []
        seen_in = self._run(image, [region for _, region in views], timings, by_s)
        for (index, _), (at, seen) in zip(views, seen_in, strict=True):
            started = time.perf_counter()
            here = [
                one.to_source(View(head.labels, self.name, at, zoom, source, index, head.skeleton))
                for head, one in zip(self.heads, seen, strict=True)
            ]
            if found:  # the first view, as a rule the only one, needs no merging
                here = [had.merge(one) for had, one in zip(found, here, strict=True)]
            found = here
            timings["decode"] += (time.perf_counter() - started) * 1e3
        found = found or [Inference(Detections.empty(head.labels)) for head in self.heads]
        return tuple(replace(one, timings=timings) for one in found)

    def join(self, found: Inference, result: FrameResult) -> FrameResult:
        """Return a frame's result with what a call found in the frame."""
        kinds = [head.kind for head in self.heads]
        kind = next((kind for kind in kinds if kind.finds_boxes), kinds[0])
        return kind.join(found, result)

    def pictures(
        self, rgb: NDArray[np.uint8], source: Size, detections: Detections | None = None
    ) -> Iterator[NDArray[np.uint8]]:
        """Yield what the model looks at: views of the frame, or of its crops as far as inside it.

        Arguments as of a call.
        """
        if self.on is None:
            yield rgb
            return
        height, width = rgb.shape[:2]
        for _, region in self._crops(detections, (source[0] / width, source[1] / height)):
            left, top, right, bottom = (round(edge) for edge in region)
            crop = rgb[max(top, 0) : bottom, max(left, 0) : right]
            if crop.size:
                yield crop

    def try_out(self) -> None:
        """Runs on a grey image, so that what does not fit is known before the first frame.

        Raises:
            ManifestError: the decoder does not fit the network or the task, or the network does
                not take the size.
        """
        width, height = self.manifest.input.size
        grey = np.full((height, width, 3), 114, np.uint8)
        at, outputs = self._at_sizes(grey)
        for head in self.heads:
            where = f"model {self.name}: decoder {head.decoder}"
            try:
                found = head.decode(outputs, at.size)
            except (ValueError, LookupError, TypeError) as error:
                raise ManifestError(f"{where}: {error}") from error
            if type(found) is not head.kind:
                raise ManifestError(f"{where}: gives {found.gives}, which is not task {head.task}")
        if self._runner.uses_gpu(grey):
            for _ in range(2):  # the second is recorded
                list(self._run(image_of(grey), [None], dict.fromkeys(_STEPS, 0.0)))

    def _at_sizes(self, grey: NDArray[np.uint8]) -> tuple[Placement, Tensors]:
        """Return what the network gives for an image of the whole size; tries a lower one too.

        Raises:
            ManifestError: it does not take the size or the multiple; names one that it takes.
        """
        spec, timings = self.manifest.input, dict.fromkeys(_STEPS, 0.0)
        step = spec.multiple if spec.multiple and not spec.frame else 0
        try:
            if 0 < step < len(grey):
                self._runner.outputs(grey[step:], None, timings)
            return self._runner.outputs(grey, None, timings)
        except RunError as error:
            key, value = ("multiple", step) if step else ("size", [*spec.size])
            able = self._multiple(grey)
            expected = f"multiples of {able}" if able else "another"
            raise ManifestError(
                f"model {self.name}: input.{key}: the network does not take {value}; expected "
                f"{expected}: {error}"
            ) from error

    def _multiple(self, grey: NDArray[np.uint8]) -> int | None:
        """Return the lowest power of two of which the network takes multiples, if there is one."""
        for multiple in (1 << power for power in range(1, 9)):
            height, width = (-(-length // multiple) * multiple for length in grey.shape[:2])
            keys = {"size": (width, height), "multiple": None, "resize": "stretch"}
            spec = self.manifest.input.model_copy(update=keys)
            manifest = self.manifest.model_copy(update={"input": spec})
            model = Model(manifest, self._session, self._threshold)
            lower = spec.model_copy(update={"size": (width, max(height - multiple, multiple))})
            other = Model(
                manifest.model_copy(update={"input": lower}), self._session, self._threshold
            )
            try:
                for each in (model, other):
                    each._runner.outputs(grey, None, dict.fromkeys(_STEPS, 0.0))
            except RunError:
                continue
            return multiple
        return None

    def _run(
        self,
        image: Image,
        regions: Sequence[Region | None],
        timings: dict[str, float],
        by_s: float | None = None,
    ) -> Iterator[tuple[Placement, list[Found]]]:
        """An inference on the image or each of its regions, decoded in the tensor's pixels."""
        for at, seen in self._runner.run(image, regions, timings, by_s):
            started = time.perf_counter()
            if isinstance(seen, list):
                found = [head.wanted(one) for head, one in zip(self.heads, seen, strict=True)]
            else:
                found = [head.decode(seen, at.size) for head in self.heads]
            timings["decode"] += (time.perf_counter() - started) * 1e3
            yield at, found

    def _crops(
        self, detections: Detections | None, zoom: tuple[float, float]
    ) -> Iterator[tuple[int, Region]]:
        """Index and region, in pixels of the analysed image, of each box of the class ``on``."""
        labels = detections.labels if detections is not None else ()
        if detections is None or self.on not in labels:
            known = ", ".join(labels) or "nothing"
            raise ValueError(f"on: no earlier stage detects {self.on!r}; detected are {known}")
        wanted = [i for i, label in enumerate(labels) if label == self.on]
        scale = np.array(zoom * 2, np.float32)
        crop, size = self.manifest.crop, self.manifest.input.size
        for index in np.flatnonzero(np.isin(detections.class_id, wanted)):
            box = detections.xyxy[index] / scale
            yield int(index), around(box, crop.margin, size if crop.aspect == "tensor" else None)
