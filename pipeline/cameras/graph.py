"""The GStreamer graph of one camera as launch text. Pure: gi is not needed to make or test it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pipeline.cameras.sources import source_of
from pipeline.cameras.sources.base import Source
from pipeline.cameras.view import before_scaling, behind_scaling
from pipeline.config.camera import Camera, Preview
from pipeline.config.launch import quoted

_NEWEST = "queue name=newest max-size-buffers=1 max-size-bytes=0 max-size-time=0 leaky=downstream"
_EVERY = "queue name=newest max-size-buffers=4 max-size-bytes=0 max-size-time=0"


def camera_graph(
    name: str, spec: Camera, stages: str, source: Source | None = None, gate: str = ""
) -> str:
    """Launch text of one camera's whole graph.

    The rate limit is no element: GStreamer 1.22's videorate ends the process by an assertion on
    frames without duration, as cameras send them, so it is applied where frames are counted
    (``pipeline/gst/probes.py``), at the sink pad of the queue named ``newest``. What a stream says
    of itself, as its rotation, ``pipeline/gst/view.py`` reads behind that queue.

    Args:
        name: the camera's name; it becomes the pipeline's.
        spec: the camera.
        stages: launch text of what stands behind the RGB caps, up to a sink.
        source: where its images come from; None for its address.
        gate: launch text of what looks at decoded images; empty without.

    Raises:
        ValueError: the address has a query that means nothing.
    """
    source = source or source_of(spec)
    parts = [source.launch]
    if spec.decode == "nvidia":  # frames that stay on the GPU, or are copied from there
        parts.append("mirsurface name=surface")
    if source.pace == "realtime" and not source.is_fed:
        parts.append("identity name=pace sync=true")
    parts += [
        _EVERY if source.pace == "every_frame" else _NEWEST,
        *before_scaling(spec),
        *([gate] if gate else ()),
        *_closeup(spec),
        f"mirrgb{thermal_text(spec.thermal_range)} planes=true",
        f'capsfilter name=analysis caps="{analysis_caps(spec.width, spec.height)}"',
        *behind_scaling(spec),
        stages,
    ]
    return f"pipeline.( name={quoted(name)} {' ! '.join(parts)} )"


def _closeup(spec: Camera) -> Iterator[str]:
    """Yield the element that keeps decoded images, where a stage looks at parts of them."""
    if any(stage.parts for stage in spec.stages or ()):
        text = f"mircloseup name=closeup{thermal_text(spec.thermal_range)}"
        yield f"{text} zones={quoted(json.dumps(spec.mask))}" if spec.mask else text


def thermal_text(window: str | list[int] | None) -> str:
    """Return the property that says what is shown of 16-bit grey; empty for all of it."""
    text = ",".join(map(str, window)) if isinstance(window, list) else window
    return f" thermal-range={text}" if text else ""


def analysis_caps(width: int, height: int) -> str:
    """Images of at most the analysis size; the ranges keep the image's shape and never enlarge.

    Surfaces of a GPU, else planes, if ``mirrgb`` gives them and all that comes behind takes them;
    else RGB.
    """
    size = f"width=[1,{width}],height=[1,{height}],pixel-aspect-ratio=1/1"
    planes = f"video/x-raw(mirante:Planes),format=I420,{size}"
    return f"video/x-raw(mirante:Surface),{size};{planes};video/x-raw,format=RGB,{size}"


def stages_text(name: str, camera: Camera, threads: int) -> str:
    """The elements behind the RGB caps: stages in order, events, preview, publisher.

    Args:
        name: the camera's name, which its results are published under.
        camera: its configuration.
        threads: threads of one inference.

    Raises:
        ValueError: a class to blur has a comma in its name, or the address has a query that means
            nothing.
    """
    holds = " holds=true" if source_of(camera).is_read_at_will else ""
    elements = [
        *stage_texts(camera, threads),
        *_events(camera),
        _preview(camera.preview),
        f"mirpublish camera={quoted(name)} masks={camera.mask_encoding}{holds}",
    ]
    return " ! ".join(elements)


def stage_texts(camera: Camera, threads: int) -> list[str]:
    """The elements of a camera's stages, in order.

    Raises:
        ValueError: it names none, and none were chosen for it.
    """
    if camera.stages is None:
        raise ValueError("stages: expected those that were chosen, got null")
    return [stage.launch_text(threads) for stage in camera.stages]


def _events(camera: Camera) -> Iterator[str]:
    """Yield the element that tells what happened, where there is something to tell."""
    happens = [each for stage in camera.stages or () if (each := stage.happens) is not None]
    if not happens and not camera.events.nothing_seen:
        return
    options = camera.events.model_dump(exclude_defaults=True)
    options |= {"blur": camera.preview.blur, "tracked": False}
    for each in happens:
        options |= each
    yield f"mirevents options={quoted(json.dumps(options))}"


def _preview(preview: Preview) -> str:
    text = f"mirpreview fps={preview.fps:g} quality={preview.quality}"
    for label in preview.blur:
        if "," in label:
            raise ValueError(f'preview.blur: "{label}"; expected a class without a comma')
    return f"{text} blur={quoted(','.join(preview.blur))}" if preview.blur else text
