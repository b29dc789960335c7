"""What is read of ONNX models, each made here of a few nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.audit.found import FoundLayer, Model
from harness.audit.readers import onnx_file
from harness.audit.readers.request import Request
from harness.errors import UsageError

W = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
B = np.ones(3, np.float32)
UP = helper.make_node("ConvTranspose", ["X", "W", "B"], ["Y"], name="up", strides=[2])


def model(*nodes: Any, output: str = "Y", opset: int = 21, functions: Any = (), **constants: Any) -> Any:
    """A model of X (1, 2, 5) with W, B and other constants as initialisers."""
    tensors = [
        numpy_helper.from_array(np.asarray(value), name) for name, value in {"W": W, "B": B, **constants}.items()
    ]
    x = helper.make_tensor_value_info("X", TensorProto.FLOAT, [1, 2, 5])
    y = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    graph = helper.make_graph(list(nodes), "g", [x], [y], tensors)
    sets = [helper.make_opsetid("", opset), *([helper.make_opsetid("own", 1)] if functions else [])]
    return helper.make_model(graph, opset_imports=sets, functions=list(functions), ir_version=9)


def read(made: Any, folder: Path, shape: tuple[int, ...] | None = None) -> Model:
    """The model as a file, read here."""
    path = folder / "m.onnx"
    onnx.save(made, path)
    return onnx_file.read(Request(str(path), "onnx_file", (), shape))


def only(made: Any, folder: Path, shape: tuple[int, ...] | None = None) -> FoundLayer:
    """The one layer of a model."""
    (layer,) = read(made, folder, shape).layers
    return layer


def test_a_node_is_found_with_its_words_sizes_and_numbers(tmp_path: Path) -> None:
    """Attributes as they are, the rest from the weight's shape and from shape inference."""
    up = helper.make_node("ConvTranspose", ["X", "W", "B"], ["Y"], name="up", pads=[1, 2], auto_pad="NOTSET")
    layer = only(model(up), tmp_path)
    carried = {"in_channels": 2, "out_channels": 3, "B": True, "kernel_shape": (4,)}
    assert dict(layer.spelling.arguments) == {**carried, "pads": ((1, 2),), "auto_pad": "NOTSET"}
    assert (layer.name, layer.ndim, layer.input_size, layer.notes, layer.cut) == ("up", 1, (5,), (), ())
    np.testing.assert_array_equal(layer.weight, W)
    np.testing.assert_array_equal(layer.bias, B)


def test_a_size_that_is_not_said_is_none_unless_a_person_says_it(tmp_path: Path) -> None:
    """A symbolic axis; the shape that is given takes its place, and must have as many entries."""
    made = model(UP)
    made.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "n"
    assert only(made, tmp_path).input_size is None
    assert only(made, tmp_path, (1, 2, 7)).input_size == (7,)
    with pytest.raises(UsageError, match="must have 3 entries"):
        read(made, tmp_path, (1, 2))


def test_constants_are_found_through_constant_and_identity(tmp_path: Path) -> None:
    """Where exporters leave weights besides initialisers."""
    nodes = [
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(W + 1)),
        helper.make_node("Identity", ["c"], ["i"]),
        helper.make_node("ConvTranspose", ["X", "i"], ["Y"]),
    ]
    layer = only(model(*nodes), tmp_path)
    np.testing.assert_array_equal(layer.weight, W + 1)
    assert layer.bias is None


def test_a_weight_computed_from_constants_is_folded_and_said(tmp_path: Path) -> None:
    """Weight_norm as exporters write it, g v / ‖v‖; a weight that depends on the input is none."""
    nodes = [
        helper.make_node("ReduceL2", ["W", "axes"], ["norm"]),
        helper.make_node("Div", ["W", "norm"], ["unit"]),
        helper.make_node("Mul", ["g", "unit"], ["w"]),
        helper.make_node("ConvTranspose", ["X", "w"], ["Y"]),
    ]
    layer = only(model(*nodes, g=np.full((2, 1, 1), 3, np.float32), axes=[1, 2]), tmp_path)
    wanted = 3 * W / np.sqrt((W**2).sum(axis=(1, 2), keepdims=True))
    assert layer.weight is not None
    np.testing.assert_allclose(layer.weight, wanted, rtol=1e-6)
    assert layer.notes == ("its weight is computed from constants by Mul: folded",)
    product = helper.make_node("ReduceMax", ["X"], ["g"])
    layer = only(model(product, *nodes, axes=[1, 2]), tmp_path)
    assert layer.weight is None
    assert layer.notes == ("its weight is no constant but made by Mul",)


def test_bfloat16_weights_are_their_numbers_in_float32(tmp_path: Path) -> None:
    """NumPy has no bfloat16, and the numbers are what counts."""
    made = model(UP)
    made.graph.initializer[0].CopyFrom(helper.make_tensor("W", TensorProto.BFLOAT16, W.shape, W.ravel()))
    made.graph.initializer[1].CopyFrom(helper.make_tensor("B", TensorProto.BFLOAT16, B.shape, B))
    layer = only(made, tmp_path)
    assert layer.weight is not None
    assert layer.weight.dtype == np.float32
    np.testing.assert_array_equal(layer.weight, W)


def sliced(**inputs: Any) -> Any:
    """The layer with a Slice after it."""
    node = helper.make_node("Slice", ["Y", *inputs], ["Z"], name="cut")
    constants: dict[str, Any] = {name: np.array(value) for name, value in inputs.items()}
    return model(UP, node, output="Z", **constants)


@pytest.mark.parametrize(
    ("inputs", "cut"),
    [
        ({"starts": [3], "ends": [-5], "axes": [2]}, ((3, -5),)),
        ({"starts": [3], "ends": [2**63 - 1], "axes": [-1], "steps": [1]}, ((3, None),)),
        ({"starts": [0, 0, 1], "ends": [2**31 - 1, 2**31 - 1, 4]}, ((1, 4),)),
    ],
)
def test_a_slice_right_after_is_taken_into_the_cut(tmp_path: Path, inputs: dict[str, Any], cut: Any) -> None:
    """With axes and without, to a place and to the end."""
    layer = only(sliced(**inputs), tmp_path)
    assert layer.cut == cut
    assert layer.notes == ("Slice 'cut' after it is taken into the crop",)


@pytest.mark.parametrize(
    "inputs",
    [
        {"starts": [0], "ends": [9], "axes": [2], "steps": [2]},
        {"starts": [1], "ends": [9], "axes": [1]},
        {"starts": [1, 2], "ends": [9], "axes": [2]},
    ],
)
def test_a_slice_that_is_no_crop_is_outside(tmp_path: Path, inputs: dict[str, Any]) -> None:
    """Steps, channels, and lists of different lengths."""
    layer = only(sliced(**inputs), tmp_path)
    assert layer.cut == ()
    assert layer.notes == ("Slice 'cut' after it is outside the layer",)


def test_a_slice_of_what_others_use_too_is_outside(tmp_path: Path) -> None:
    """The uncut output is the model's, too."""
    made = sliced(starts=[3], ends=[-5], axes=[2])
    made.graph.output.append(helper.make_tensor_value_info("Y", TensorProto.FLOAT, None))
    layer = only(made, tmp_path)
    assert (layer.cut, layer.notes) == ((), ("Slice 'cut' after it is outside the layer",))


def test_a_slice_by_computed_numbers_is_outside(tmp_path: Path) -> None:
    """The end comes from the input's shape."""
    shape = helper.make_node("Shape", ["X"], ["ends"], start=2)
    cut = helper.make_node("Slice", ["Y", "starts", "ends", "axes"], ["Z"], name="cut")
    layer = only(model(shape, UP, cut, output="Z", starts=[0], axes=[2]), tmp_path)
    assert (layer.cut, layer.notes) == ((), ("Slice 'cut' after it is outside the layer",))


def test_slices_and_negative_pads_add_up_through_identity(tmp_path: Path) -> None:
    """Two axes cut by two nodes; the third would cut the first axis again."""
    up = helper.make_node("ConvTranspose", ["X2", "W2"], ["Y"], name="up")
    nodes = [
        up,
        helper.make_node("Pad", ["Y", "pads"], ["P"], name="pad"),
        helper.make_node("Identity", ["P"], ["I"]),
        helper.make_node("Slice", ["I", "starts", "ends", "axes"], ["S"], name="cut"),
        helper.make_node("Slice", ["S", "starts", "ends", "axes"], ["Z"], name="again"),
    ]
    constants: dict[str, Any] = {"pads": [0, 0, -1, 0, 0, 0, -2, 0], "starts": [1], "ends": [5], "axes": [3]}
    made = model(*nodes, output="Z", W2=np.ones((2, 1, 3, 3), np.float32), **constants)
    made.graph.input[0].name = "X2"
    made.graph.input[0].type.tensor_type.shape.dim.add().dim_value = 5
    layer = only(made, tmp_path)
    assert layer.cut == ((1, -2), (1, 5))
    assert layer.notes == (
        "Pad 'pad' after it is taken into the crop",
        "Slice 'cut' after it is taken into the crop",
        "Slice 'again' after it is outside the layer",
    )


def test_old_slices_have_attributes(tmp_path: Path) -> None:
    """Before operator set 10."""
    cut = helper.make_node("Slice", ["Y"], ["Z"], name="cut", starts=[1], ends=[-1], axes=[2])
    assert only(model(UP, cut, output="Z", opset=9), tmp_path).cut == ((1, -1),)


def test_nodes_in_branches_are_reported_and_those_in_functions_are_read(tmp_path: Path) -> None:
    """A branch may not run; a function is a piece of the graph."""
    kinds = [helper.make_tensor_value_info("Z", TensorProto.FLOAT, None)]
    inner = helper.make_node("ConvTranspose", ["X", "W"], ["Z"], name="inner")
    branch = helper.make_graph([inner], "branch", [], kinds)
    choice = helper.make_node("If", ["yes"], ["C"], name="choice", then_branch=branch, else_branch=branch)
    sets = [helper.make_opsetid("", 21)]
    function = helper.make_function("own", "Up", ["x", "w"], ["y"], [_node("x", "w", "y")], sets)
    call = helper.make_node("Up", ["X", "W"], ["Y"], domain="own", name="call")
    found = read(model(choice, call, functions=[function], yes=True), tmp_path)
    assert len(found.layers) == 1
    assert {one.name for one in found.skipped} == {"inner"}
    assert found.skipped[0].reason.startswith("inside If 'choice'")


def _node(x: str, w: str, y: str) -> Any:
    return helper.make_node("ConvTranspose", [x, w], [y])


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"strides": [1, 1]}, "does not have the entries of 1 spatial axes"),
        ({"kernel_shape": [3]}, "is not that of its weight"),
        ({"group": 0}, "group=0"),
        ({"dilations": [2**40]}, "out of all bounds"),
        ({"pad": [1]}, "which ConvTranspose has not"),
    ],
)
def test_attributes_that_make_no_sense_are_a_reason_to_skip(tmp_path: Path, words: dict[str, Any], reason: str) -> None:
    """The other layers of the model are read."""
    odd = helper.make_node("ConvTranspose", ["X", "W"], ["Z"], name="odd", **words)
    found = read(model(UP, odd), tmp_path)
    assert [one.name for one in found.layers] == ["up"]
    assert [one.name for one in found.skipped] == ["odd"]
    assert reason in found.skipped[0].reason


def test_the_oldest_version_of_the_operator_is_read_where_it_says_the_same(tmp_path: Path) -> None:
    """Opset 10 has other equations for output_shape, the same for pads."""
    shaped = helper.make_node("ConvTranspose", ["X", "W"], ["Z"], name="shaped", output_shape=[9])
    found = read(model(UP, shaped, opset=10), tmp_path)
    assert [one.name for one in found.layers] == ["up"]
    assert "opset 10" in found.skipped[0].reason


def test_external_data_is_read_from_beside_the_model_alone(tmp_path: Path) -> None:
    """Not from above it, not through a link, not past the end of the file."""
    made, folder = model(UP), tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(4) + W.tobytes())
    (folder / "w.bin").write_bytes(bytes(4) + W.tobytes())
    (folder / "link.bin").symlink_to(tmp_path / "w.bin")

    def kept(location: str, offset: int = 4) -> Any:
        tensor = made.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.ClearField("external_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, "offset": offset, "length": W.nbytes}.items():
            tensor.external_data.add(key=key, value=str(value))
        (folder / "m.onnx").write_bytes(made.SerializeToString())
        return onnx_file.read(Request(str(folder / "m.onnx"), "onnx_file"))

    np.testing.assert_array_equal(kept("w.bin").layers[0].weight, W)
    refused = {"../w.bin": "outside", str(tmp_path / "w.bin"): "outside", "link.bin": "outside", "": "outside"}
    for location, said in {**refused, "none.bin": "not beside it"}.items():
        with pytest.raises(UsageError, match=said):
            kept(location)
    with pytest.raises(UsageError, match="fewer than the model says"):
        kept("w.bin", offset=8)


def test_a_newer_version_is_told_from_a_broken_file(tmp_path: Path) -> None:
    """IR version and operator set that the installed onnx does not know."""
    made = model(UP)
    made.opset_import[0].version = 999
    with pytest.raises(UsageError, match=r"opset 999 is newer .*install a newer onnx"):
        read(made, tmp_path)
    made.ir_version = 999
    with pytest.raises(UsageError, match="IR version 999 is newer"):
        read(made, tmp_path)
