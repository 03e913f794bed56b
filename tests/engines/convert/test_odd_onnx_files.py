"""ONNX files whose networks are sound, and whose files are unlike what exporters write most."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import engines
from engines.convert import ConvertError
from engines.convert.asked import InputKeys
from engines.convert.mend import mended
from tests.support.conversions import axes, imported, photographs, worst
from tests.support.onnx_networks import (
    AS_YOLOV8,
    COLOURS,
    colour_grid,
    floats,
    green_square,
    planes,
    save,
)

make: Any = helper.make_node


def test_axes_of_minus_one_are_open(tmp_path: Path) -> None:
    source = tmp_path / "net.onnx"
    model = planes(source, ["n", 3, "h", "w"])
    for each in (*model.graph.input, *model.graph.output):
        for axis in (0, 2, 3):
            each.type.tensor_type.shape.dim[axis].dim_value = -1
    onnx.save(model, source)
    made = imported(source, tmp_path / "out", size=(64, 48), labels=COLOURS, decoder="sigmoid")
    assert made.about["onnx"]["by"] == "axes of -1 left open"
    assert axes(made, "x") == ["batch", 3, 48, 64]
    with pytest.raises(ValueError, match=r"size: missing, and required as x \(None, 3, None, None"):
        imported(source, tmp_path / "none", labels=COLOURS, decoder="sigmoid")
    # Named by hand it loads as well.
    text = made.manifest.read_text().replace("made.onnx", "net.onnx")
    (tmp_path / "net.yaml").write_text(
        "\n".join(line for line in text.splitlines() if not line.startswith(("sha256", "bytes")))
    )
    assert engines.load(str(tmp_path / "net.yaml")).labels == COLOURS


def test_an_input_of_no_length_is_open(tmp_path: Path) -> None:
    model = planes(tmp_path / "net.onnx", ["n", 3, 32, 32])
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 0
    onnx.save(model, tmp_path / "net.onnx")
    made = imported(tmp_path / "net.onnx", tmp_path / "out", labels=COLOURS, decoder="sigmoid")
    assert axes(made, "x") == ["batch", 3, 32, 32]


def test_nodes_are_put_in_order(tmp_path: Path) -> None:
    source = tmp_path / "net.onnx"
    model = planes(source, ["n", 3, 32, 32], ops=4)
    expected = [node.output[0] for node in model.graph.node]
    turned = list(model.graph.node)[::-1]
    del model.graph.node[:]
    model.graph.node.extend(turned)
    onnx.save(model, source)
    with pytest.raises(onnx.checker.ValidationError, match="topologically sorted"):
        onnx.checker.check_model(model)
    made = imported(source, tmp_path / "out", labels=COLOURS, decoder="sigmoid")
    assert made.about["onnx"]["by"] == "nodes put in order"
    assert [node.output[0] for node in onnx.load(made.onnx).graph.node] == expected


def unshaped(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


def test_nodes_inside_branches_are_put_in_order_and_waited_for(tmp_path: Path) -> None:
    branch = helper.make_graph(
        [make("Neg", ["b"], ["c"]), make("Add", ["made", "made"], ["b"])],
        "branch",
        [],
        [unshaped("c")],
    )
    nodes = [
        make("If", ["yes"], ["y"], then_branch=branch, else_branch=branch),
        make("Mul", ["x", "x"], ["made"]),
    ]
    ends = [floats("x", [2]), unshaped("y")]
    yes = helper.make_tensor("yes", TensorProto.BOOL, [], [True])
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], [yes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    made, said = mended(model)
    assert said == ("nodes put in order",)
    assert [node.op_type for node in made.graph.node] == ["Mul", "If"]
    for attribute in made.graph.node[1].attribute:
        assert [node.op_type for node in attribute.g.node] == ["Add", "Neg"]
    assert mended(made) == (made, ())


def test_a_ring_is_told_of(tmp_path: Path) -> None:
    model = planes(tmp_path / "net.onnx", ["n", 3, 32, 32], ops=3)
    model.graph.node[0].input[1] = "t1"
    with pytest.raises(ConvertError, match=r"ring: node t0 \(Mul\) needs t1, which needs it"):
        mended(model)


def of_many(path: Path, images: int) -> Path:
    """A detector of colours for so many images: in what it reshapes to, and in its boxes."""
    colour_grid(path, "yolov8", 64, 64)
    model = onnx.load(str(path))
    graph = model.graph
    for each in (*graph.input, *graph.output):
        each.type.tensor_type.shape.dim[0].dim_value = images
    for tensor in graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        if tensor.name == "flat":
            array = np.array([images, 3, -1], np.int64)
        elif tensor.name.startswith("boxes"):
            array = np.repeat(array, images, axis=0)
        else:
            continue
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    del graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("images", [2, 10])
def test_several_images_in_a_call_become_one(tmp_path: Path, images: int) -> None:
    source = of_many(tmp_path / "net.onnx", images)
    made = imported(source, tmp_path / "out", **AS_YOLOV8)
    assert made.about["onnx"]["by"] == f"as it is; {images} images per call made one"
    assert worst(made) < 1e-6
    assert axes(made, "images")[0] == 1  # its boxes are of one image, too
    found = engines.load(str(made.manifest))(green_square()).detections
    assert {label for label, _, _ in found} == {"green"}
    assert ((found.xyxy[:, :2] + found.xyxy[:, 2:]) / 2 > 16).all()


def test_one_image_where_it_is_asked(tmp_path: Path) -> None:
    source = of_many(tmp_path / "net.onnx", 4)
    made = imported(source, tmp_path / "out", **AS_YOLOV8, batch=1)
    assert axes(made, "images")[0] == 1
    assert made.about["onnx"]["batch"] == "one image per call, as requested"


def test_several_images_in_constants_of_nodes(tmp_path: Path) -> None:
    model = onnx.load(str(of_many(tmp_path / "net.onnx", 3)))
    nodes = [
        make("Constant", [], [tensor.name], value=tensor) for tensor in model.graph.initializer
    ] + list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, tmp_path / "net.onnx")
    made = imported(tmp_path / "net.onnx", tmp_path / "out", **AS_YOLOV8)
    assert made.about["onnx"]["by"] == "as it is; 3 images per call made one"


def test_images_that_cannot_be_parted_are_told_of(tmp_path: Path) -> None:
    nodes = [
        make("Split", ["x", "each"], ["a", "b"], axis=0),
        make("Concat", ["b", "a"], ["planes"], axis=0),
    ]
    ends = [floats(name, [2, 3, 32, 32]) for name in ("x", "planes")]
    each = {"each": np.array([1, 1], np.int64)}
    source = save(tmp_path / "net.onnx", nodes, each, ends[:1], ends[1:])
    with pytest.raises(ConvertError, match=r"2 images per call, and its graph does .*batch of 1"):
        imported(source, tmp_path / "out", labels=COLOURS, decoder="sigmoid")


def test_images_that_need_each_other_are_refused(tmp_path: Path) -> None:
    nodes = [
        make("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1),
        make("Split", ["x"], ["a", "b"], axis=0, num_outputs=2),
        make("Sub", ["a", "mean"], ["c"]),
        make("Concat", ["c", "b"], ["planes"], axis=0),
    ]
    ends = [floats(name, [2, 3, 32, 32]) for name in ("x", "planes")]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    # Opset 18 has the axes of ReduceMean as an input.
    model.graph.node[0].ClearField("attribute")
    model.graph.node[0].input.append("axes")
    model.graph.node[0].attribute.append(helper.make_attribute("keepdims", 1))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0]), "axes"))
    onnx.checker.check_model(model)
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(ConvertError, match="computes something else"):
        imported(tmp_path / "net.onnx", tmp_path / "out", labels=COLOURS, decoder="sigmoid")
    assert not list((tmp_path / "out").iterdir())


def constant_inputs(path: Path) -> Path:
    """Planes of a network that is told its size, a factor of each side and a threshold."""
    nodes = [
        make("Cast", ["size"], ["s"], to=TensorProto.FLOAT),
        make("ReduceMin", ["s"], ["least"], keepdims=0),
        make("Div", ["least", "sixty_four"], ["one"]),
        make("ReduceMean", ["factor"], ["two"], keepdims=0),
        make("Mul", ["one", "two"], ["all"]),
        make("Mul", ["x", "all"], ["bright"]),
        make("Sub", ["bright", "threshold"], ["planes"]),
    ]
    size = helper.make_tensor_value_info("size", TensorProto.INT64, ["n", 2])
    inputs = [floats("x", ["n", 3, 64, 64]), size, floats("factor", ["n", 2])]
    inputs.append(floats("threshold", []))
    constants: dict[str, Any] = {"sixty_four": np.float32(64)}
    return save(path, nodes, constants, inputs, [floats("planes", ["n", 3, 64, 64])])


def test_inputs_that_never_change(tmp_path: Path) -> None:
    source = constant_inputs(tmp_path / "net.onnx")
    extra = {"size": "size_hw", "factor": [2, 2], "threshold": 1.5}
    made = imported(
        source,
        tmp_path / "out",
        labels=COLOURS,
        input=InputKeys(name="x", extra=extra),
        decoder="sigmoid",
        options={"planes": {"planes": list(COLOURS)}, "logits": True},
        task="segment",
    )
    assert engines.manifest.read(made.manifest).input.extra == extra
    said = made.about["onnx"]["batch"]
    assert said == "one image per call, as factor, threshold is the same for each"
    (mask,) = engines.load(str(made.manifest))(green_square()).masks
    assert mask.plane("green")[16:48, 16:48].all()
    assert mask.plane("green").sum() == 32 * 32


def test_engines_have_them_inside(tmp_path: Path, home: Path) -> None:
    pytest.importorskip("onnxslim", reason='building needs "mirante[build]"')
    del home
    from engines.builder.build import Request, build

    source = constant_inputs(tmp_path / "net.onnx")
    extra = {"size": "size_hw", "factor": [2, 2], "threshold": 0.5}
    made = imported(
        source,
        tmp_path / "out",
        labels=COLOURS,
        input=InputKeys(name="x", extra=extra),
        decoder="sigmoid",
        options={"planes": {"planes": list(COLOURS)}, "logits": True},
        task="segment",
    )
    frames = photographs(tmp_path)
    engine = build(Request(model=str(made.manifest), runtime="onnxruntime", frames=frames, batch=4))
    assert engine.is_proved
    assert engines.manifest.read(engine.manifest).input.extra == {"size": "size_hw"}
    (mask,) = engines.load(str(engine.manifest))(green_square()).masks
    assert mask.plane("green").sum() == 32 * 32


def test_too_few_numbers_are_told_of(tmp_path: Path) -> None:
    source = constant_inputs(tmp_path / "net.onnx")
    extra = {"size": "size_hw", "factor": [2, 2, 2], "threshold": 1.5}
    with pytest.raises(ValueError, match=r"input.extra.factor: expected numbers for \(None, 2\)"):
        imported(source, tmp_path / "out", input=InputKeys(name="x", extra=extra))
