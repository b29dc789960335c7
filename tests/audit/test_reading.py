"""Models are read in another process: what a file does is done to that one, and is one line here."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from harness.audit.readers import Limits, read_model
from harness.errors import UsageError

W = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
LAYERS = '[{"name": "up", "layer": "ConvTranspose1d(2, 3, 4, bias=False)", "input_size": [7]}]'


def refused(path: Path, **asked: Any) -> str:
    """The one line with which a model is refused."""
    with pytest.raises(UsageError) as raised:
        read_model(str(path), **asked)
    said = str(raised.value)
    assert said.isprintable()
    assert len(said) <= 500
    assert "Traceback" not in said
    return said


def onnx_model(*, weight: Any = W) -> bytes:
    """One transposed convolution."""
    x = helper.make_tensor_value_info("X", TensorProto.FLOAT, [1, 2, 5])
    y = helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)
    node = helper.make_node("ConvTranspose", ["X", "W"], ["Y"], name="up")
    tensor = weight if isinstance(weight, TensorProto) else numpy_helper.from_array(weight, "W")
    graph = helper.make_graph([node], "g", [x], [y], [tensor])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=9)
    return bytes(made.SerializeToString())


def without_layers() -> bytes:
    """A model that adds."""
    kinds = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "XY"]
    graph = helper.make_graph([helper.make_node("Add", ["X", "X"], ["Y"])], "g", kinds[:1], kinds[1:])
    return bytes(helper.make_model(graph, ir_version=9).SerializeToString())


def elsewhere() -> bytes:
    """A model whose weights are in a file that is not there."""
    tensor = TensorProto(name="W", dims=W.shape, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="w.bin")
    return onnx_model(weight=tensor)


def test_a_model_comes_back_whole(tmp_path: Path) -> None:
    """Found there, the same here; nothing is left behind in the temporary folder."""
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx_model())
    model = read_model(str(path))
    assert model.source == str(path)
    assert [(one.name, one.input_size) for one in model.layers] == [("up", (5,))]
    np.testing.assert_array_equal(model.layers[0].weight, W)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_safetensors_with_a_layer_file(tmp_path: Path, dtype: str) -> None:
    """Only the tensors that the layer file names are read, with their dtype."""
    path, layers = tmp_path / "m.safetensors", tmp_path / "layers.json"
    save_file({"up.weight": W.astype(dtype), "other.weight": W}, path)
    layers.write_text(LAYERS)
    (layer,) = read_model(str(path), layer_file=layers).layers
    assert (layer.name, layer.input_size) == ("up", (7,))
    assert layer.weight is not None
    assert layer.weight.dtype == dtype
    np.testing.assert_array_equal(layer.weight, W)


def test_bfloat16_of_a_safetensors_file_is_its_numbers(tmp_path: Path) -> None:
    """NumPy has no such numbers; these are small enough to be exact."""
    halves = (W.view(np.uint32) >> 16).astype(np.uint16)
    header = json.dumps({"up.weight": {"dtype": "BF16", "shape": W.shape, "data_offsets": [0, halves.nbytes]}}).encode()
    path, layers = tmp_path / "m.safetensors", tmp_path / "layers.json"
    path.write_bytes(struct.pack("<Q", len(header)) + header + halves.tobytes())
    layers.write_text(LAYERS)
    (layer,) = read_model(str(path), layer_file=layers).layers
    np.testing.assert_array_equal(layer.weight, W)


#: files that are no model, and what the line about each says
BAD: dict[str, tuple[bytes, str]] = {
    "empty.onnx": (b"", "is no ONNX model"),
    "garbage.onnx": (bytes(range(256)) * 99, "cannot be read as an ONNX model"),
    "truncated.onnx": (onnx_model()[:-20], "cannot be read as an ONNX model"),
    "without.onnx": (without_layers(), "no transposed convolution found"),
    "elsewhere.onnx": (elsewhere(), "'w.bin', which is not beside it"),
    "empty.keras": (b"", "is no .keras archive"),
    "garbage.keras": (bytes(range(256)) * 99, "is no .keras archive"),
    "empty.safetensors": (b"", "cannot be read as a safetensors file"),
    "lying.safetensors": (struct.pack("<Q", 2**62) + b"{}", "cannot be read as a safetensors file"),
    "model.h5": (b"", "save the model as .keras"),
    "model.tar": (b"", "is no model that can be read (.onnx, .keras"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_line(tmp_path: Path, name: str) -> None:
    """The file is named, and what is the matter with it."""
    content, said = BAD[name]
    path, layers = tmp_path / name, tmp_path / "layers.json"
    path.write_bytes(content)
    layers.write_text(LAYERS)
    asked: dict[str, Any] = {"layer_file": layers} if path.suffix == ".safetensors" else {}
    line = refused(path, **asked)
    assert said in line
    assert name in line


def test_hdf5_garbage_in_an_archive_is_one_line(tmp_path: Path) -> None:
    """The configuration is right, the weights are not."""
    path = tmp_path / "m.keras"
    config = {"module": "keras", "class_name": "Sequential", "config": {"name": "m", "layers": []}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 9)
    assert "cannot be read as a Keras model" in refused(path)


def test_a_safetensors_header_that_points_past_the_end(tmp_path: Path) -> None:
    """The offsets are the file's own word."""
    header = json.dumps({"up.weight": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    path, layers = tmp_path / "m.safetensors", tmp_path / "layers.json"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    layers.write_text(LAYERS)
    assert "cannot be read as a safetensors file" in refused(path, layer_file=layers)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    """A pipe that nobody writes to, a folder, nothing, a name with control characters."""
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "folder.keras").mkdir()
    names = {"pipe.onnx": "no regular file", "folder.keras": "is a folder", "none.pt2": "No such file"}
    for name, said in {**names, "a\x1b[2J.onnx": "No such file", "nul\0.onnx": "null byte"}.items():
        assert said in refused(tmp_path / name)


def test_weights_without_layers_and_layers_too_many(tmp_path: Path) -> None:
    """A state dict needs a layer file and takes its sizes from there; an ONNX model has none."""
    layers = tmp_path / "layers.json"
    layers.write_text(LAYERS)
    for name in ("m.safetensors", "m.pt", "m.onnx"):
        (tmp_path / name).write_bytes(b"")
    assert "--layer-file FILE" in refused(tmp_path / "m.safetensors")
    assert "--layer-file FILE" in refused(tmp_path / "m.pt")
    assert "says its layers itself" in refused(tmp_path / "m.onnx", layer_file=layers)
    assert "leave the input shape (1, 2) out" in refused(tmp_path / "m.pt", layer_file=layers, input_shape=(1, 2))


def test_what_runs_code_is_not_touched_without_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is the factory's module imported."""
    (tmp_path / "m.pt2").write_bytes(b"")
    assert "--trust" in refused(tmp_path / "m.pt2")
    (tmp_path / "traps.py").write_text("open('sprung', 'w')\ndef make(): pass\n")
    monkeypatch.chdir(tmp_path)
    assert "--trust" in refused(Path("traps:make"))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("made:nothing", "makes 'NoneType'"),
        ("made:absent", "has no function or class 'absent'"),
        ("unmade:make", "there is no module 'unmade'"),
        ("made:ends", "ended the process with exit status 3"),
        ("made:fails", "fails (ValueError: a b): it must make a model"),
    ],
)
def test_a_factory_that_makes_no_model_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factory: str, said: str
) -> None:
    """Whatever it does instead."""
    (tmp_path / "made.py").write_text(
        "import sys\ndef nothing(): pass\ndef ends(): sys.exit(3)\ndef fails(): raise ValueError('a\\n\\x1bb')\n"
    )
    monkeypatch.chdir(tmp_path)
    assert said in refused(Path(factory), trust=True)


def test_too_much_memory_and_too_much_time_end_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits are kept whatever a model does; a process that it started goes with it."""
    (tmp_path / "made.py").write_text(
        "import pathlib, subprocess, time\n"
        "def large():\n    held = [bytearray(b'1') * 2**20 for _ in range(2000)]\n    time.sleep(60)\n"
        "def slow():\n    child = subprocess.Popen(['sleep', '60'])\n"
        "    pathlib.Path('child').write_text(str(child.pid))\n    time.sleep(60)\n"
    )
    monkeypatch.chdir(tmp_path)
    line = refused(Path("made:large"), trust=True, limits=Limits(memory=300 * 2**20))
    assert "more than the limit of 0.29" in line
    line = refused(Path("made:slow"), trust=True, limits=Limits(seconds=5))
    assert "more than the limit of 5 s" in line
    state = Path("/proc", (tmp_path / "child").read_text(), "stat")
    assert not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z"
