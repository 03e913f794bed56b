"""Which nodes become float16, and that what is around them gets the types that it takes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engines.builder.builders import BuildError
from engines.builder.graphs import inputs_of, run
from engines.builder.precision import LARGEST, to_float16
from tests.support.onnx_networks import floats, save

X = np.random.default_rng(3).normal(size=(1, 4, 6, 6)).astype(np.float32)
HALF = TensorProto.FLOAT16


def network(
    folder: Path, nodes: list[onnx.NodeProto], constants: Mapping[str, NDArray[Any]]
) -> onnx.ModelProto:
    """A network from ``x`` to ``y``."""
    path = save(
        folder / "n.onnx", nodes, constants, [floats("x", X.shape)], [floats("y", [None] * 4)]
    )
    return onnx.load(str(path))


def kinds(model: onnx.ModelProto) -> dict[str, int]:
    """The type of each node's first output, by the node's name."""
    known = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = {
        each.name: each.type.tensor_type.elem_type for each in (*known.value_info, *known.output)
    }
    return {node.name: values[node.output[0]] for node in model.graph.node}


def types(model: onnx.ModelProto) -> dict[str, int]:
    """The type of each output."""
    return {each.name: each.type.tensor_type.elem_type for each in model.graph.output}


def halved(model: onnx.ModelProto, x: NDArray[np.float32] = X) -> onnx.ModelProto:
    """Its float16, which finds nearly the same, has the same inputs and outputs, and is whole."""
    made = to_float16(model, [{"x": x}])
    assert types(made) == types(model)
    assert inputs_of(made) == inputs_of(model)
    onnx.checker.check_model(made, full_check=True)
    expected, got = run(model, {"x": x})["y"], run(made, {"x": x})["y"]
    np.testing.assert_allclose(got, expected, rtol=4e-3, atol=4e-3)
    return made


def node(kind: str, given: str, made: str, **keys: Any) -> onnx.NodeProto:
    return helper.make_node(kind, given.split(), [made], made, **keys)


def test_what_is_larger_than_float16_keeps_apart_stays(tmp_path: Path) -> None:
    factor = np.array(2 * LARGEST, np.float32)
    nodes = [node("Relu", "x", "a"), node("Mul", "a far", "b"), node("Div", "b far", "y")]
    found = kinds(halved(network(tmp_path, nodes, {"far": factor})))
    assert found["a"] == HALF
    assert (found["b"], found["y"]) == (TensorProto.FLOAT, TensorProto.FLOAT)


@pytest.mark.parametrize("value", [1e6, np.inf, np.nan])
def test_weights_that_float16_cannot_hold_stay(value: float, tmp_path: Path) -> None:
    nodes = [node("Relu", "x", "a"), node("Greater", "a top", "over")]
    nodes += [node("Where", "over top a", "b"), node("Neg", "a", "c"), node("Add", "b c", "y")]
    model = network(tmp_path, nodes, {"top": np.array(value, np.float32)})
    found = kinds(to_float16(model, [{"x": X}]))
    assert (found["a"], found["c"], found["b"]) == (HALF, HALF, TensorProto.FLOAT)


def test_inputs_that_are_float32_in_any_case_stay(tmp_path: Path) -> None:
    scales = np.array([1, 1, 2, 2], np.float32)
    resized = helper.make_node("Resize", ["a", "", "scales"], ["y"], "y")
    nodes = [node("Relu", "x", "a"), resized]
    made = halved(network(tmp_path, nodes, {"scales": scales}))
    assert kinds(made)["y"] == HALF
    (resize,) = (each for each in made.graph.node if each.op_type == "Resize")
    assert resize.input[2] == "scales"
    assert resize.output[0] == "y.half"


def test_types_that_a_node_chooses_and_scales_of_int8_stay(tmp_path: Path) -> None:
    zero, scale = np.array(0, np.int8), np.array(1e-7, np.float32)
    nodes = [node("Cast", "x", "whole", to=TensorProto.INT32)]
    nodes += [node("Cast", "whole", "a", to=TensorProto.FLOAT), node("Mul", "x scale", "small")]
    nodes += [node("QuantizeLinear", "small scale zero", "q")]
    nodes += [node("DequantizeLinear", "q scale zero", "d"), node("Add", "a d", "b")]
    nodes += [node("Tanh", "b", "c"), node("Tanh", "c", "y")]
    found = kinds(halved(network(tmp_path, nodes, {"zero": zero, "scale": scale})))
    assert (found["a"], found["d"]) == (TensorProto.FLOAT, TensorProto.FLOAT)
    assert (found["b"], found["c"]) == (HALF, HALF)


def test_what_a_branch_reads_stays(tmp_path: Path) -> None:
    def branch(kind: str) -> onnx.GraphProto:
        inner = helper.make_node(kind, ["a", "w"], [kind])
        return helper.make_graph([inner], kind, [], [floats(kind, X.shape)])

    nodes = [node("Tanh", "x", "a"), node("Tanh", "a", "b")]
    choice = helper.make_node("If", ["yes"], ["c"], "c")
    choice.attribute.extend(
        [
            helper.make_attribute("then_branch", branch("Add")),
            helper.make_attribute("else_branch", branch("Mul")),
        ]
    )
    constants = {"yes": np.array(True), "w": np.array(2, np.float32)}
    model = network(tmp_path, [*nodes, choice, node("Add", "b c", "y")], constants)
    made = to_float16(model, [{"x": X}])
    ops = {each.name: list(each.output) for each in made.graph.node}
    assert (ops["a"], ops["b"], ops["c"]) == (["a"], ["b.half"], ["c"])
    expected, got = run(model, {"x": X})["y"], run(made, {"x": X})["y"]
    np.testing.assert_allclose(got, expected, atol=4e-3)


def test_a_value_that_is_read_and_shown_is_both(tmp_path: Path) -> None:
    w = np.ones((4, 4, 1, 1), np.float32)
    nodes = [node("Conv", "x w", "y"), node("Conv", "y w", "z")]
    inputs, outputs = [floats("x", X.shape)], [floats("y", [None] * 4), floats("z", [None] * 4)]
    model = onnx.load(str(save(tmp_path / "n.onnx", nodes, {"w": w}, inputs, outputs)))
    made = to_float16(model, [{"x": X}])
    assert [each.data_type for each in made.graph.initializer] == [HALF]
    second = next(each for each in made.graph.node if each.name == "z")
    assert list(second.input) == ["y.half", "w.half"]
    for name, expected in run(model, {"x": X}).items():
        np.testing.assert_allclose(run(made, {"x": X})[name], expected, rtol=4e-3, atol=1e-2)


@pytest.mark.parametrize("version", [3, 8])
def test_weights_that_a_file_lists_among_its_inputs_are_none(version: int, tmp_path: Path) -> None:
    w = np.ones((4, 4, 1, 1), np.float32)
    model = network(tmp_path, [node("Conv", "x w", "a"), node("Tanh", "a", "y")], {"w": w})
    model.ir_version = version
    model.graph.input.append(floats("w", w.shape))
    assert [each.name for each in halved(model).graph.input] == ["x"]


@pytest.mark.parametrize("least", [1e-12, -1e-12])
def test_what_keeps_a_divisor_from_0_does_so_in_float16(least: float, tmp_path: Path) -> None:
    nodes = [node("Relu", "x", "a"), node("Mul", "a sign", "b"), node("Add", "b least", "c")]
    constants = {
        "least": np.array(least, np.float32),
        "sign": np.sign(np.array([least], np.float32)),
    }
    made = halved(network(tmp_path, [*nodes, node("Div", "a c", "y")], constants))
    weights = {each.name: numpy_helper.to_array(each) for each in made.graph.initializer}
    assert np.sign(weights["least.half"]) == np.sign(least)


def test_values_of_which_no_image_had_one_stay(tmp_path: Path) -> None:
    nodes = [node("Greater", "x high", "over"), node("NonZero", "over", "places")]
    nodes += [node("Transpose", "places", "rows"), node("GatherND", "x rows", "found")]
    nodes += [node("Mul", "found found", "squares"), node("ReduceSum", "squares", "sum")]
    nodes += [node("Tanh", "x", "a"), node("Add", "a sum", "y")]
    model = network(tmp_path, nodes, {"high": np.array(50, np.float32)})
    made = kinds(halved(model))
    assert (made["squares"], made["a"]) == (TensorProto.FLOAT, HALF)


def test_operators_whose_domain_is_spelt_out(tmp_path: Path) -> None:
    model = network(tmp_path, [node("Tanh", "x", "a"), node("Neg", "a", "y")], {})
    model.opset_import[0].domain = "ai.onnx"
    assert halved(model).graph.node[1].output[0] == "a.half"


def test_an_output_of_a_shape_that_nobody_knows(tmp_path: Path) -> None:
    nodes = [node("Tanh", "x", "a"), node("Gelu", "a", "y", domain="com.microsoft")]
    model = network(tmp_path, [nodes[0], node("Neg", "a", "y")], {})
    model.graph.node[1].CopyFrom(nodes[1])
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    model.graph.output[0].type.tensor_type.ClearField("shape")
    made = to_float16(model, [{"x": X}])
    np.testing.assert_allclose(run(made, {"x": X})["y"], run(model, {"x": X})["y"], atol=4e-3)


def test_names_that_are_taken_already(tmp_path: Path) -> None:
    nodes = [node("Tanh", "x", "x.half"), node("Tanh", "x.half", "x.half.half_")]
    halved(network(tmp_path, [*nodes, node("Tanh", "x.half.half_", "y")], {}))


def test_a_network_that_gains_nothing_or_does_not_run_is_refused(tmp_path: Path) -> None:
    model = network(tmp_path, [node("Mul", "x far", "y")], {"far": np.array(1e9, np.float32)})
    with pytest.raises(BuildError, match="fp16: no node of the network can be float16"):
        to_float16(model, [{"x": X}])
    with pytest.raises(BuildError, match="fp16: the network cannot be run: "):
        to_float16(model, [{"x": X[:, :2]}])


@pytest.mark.slow
def test_building_takes_no_framework(tmp_path: Path) -> None:
    network(tmp_path, [node("Tanh", "x", "y")], {})
    code = (
        "import sys, numpy, onnx; sys.modules.update(torch=None, modelopt=None)\n"
        "import engines.builder.build, engines.builder.quantise, engines.builder.quantise_fp8\n"
        "from engines.builder.precision import to_float16\n"
        "x = numpy.ones((1, 4, 6, 6), numpy.float32)\n"
        "made = to_float16(onnx.load(sys.argv[1]), [{'x': x}])\n"
        "sys.exit(made.graph.node[1].output[0] != 'y.half')"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "n.onnx")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
