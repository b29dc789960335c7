"""``deconvdiff audit`` from beginning to end: what it says, what it writes, how it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from command import Finished, deconvdiff, finish, one_after_the_other, start
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

frameworks = pytest.mark.frameworks

UP = "ConvTranspose1d(2, 3, 4, stride=2, padding=1)"

#: what nobody can make anything of, and what is said of it
REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing": ((), "name a MODEL or write a --layer"),
    "both": (("m.onnx", "--layer", UP), "name a MODEL or write a --layer"),
    "no call": (("--layer", "1"), "must be a call"),
    "no layer": (("--layer", "ConvTranspose1d(1, 1, 3, padding=-1)"), "padding must be an integer of at least 0"),
    "another's": (("--layer", "Conv2DTranspose(1, 3)"), "it is one of keras, say --from"),
    "no such source": (("--layer", UP, "--from", "caffe"), "--from caffe: is no framework and no API"),
    "no such target": (("--layer", UP, "--to", "caffe"), "--to caffe: is no framework and no API"),
    "two frameworks in a module": (("--layer", UP, "--python", "m.py"), "is a module for one framework"),
    "too many axes": (("--layer", UP, "--input-size", "3,4"), "must be 1 integers of at least 1"),
    "no size": (("--layer", UP, "--input-size", "0"), "must be 1 integers of at least 1"),
    "a size without end": (("--layer", UP, "--input-size", "9" * 30), "must be below 2**31"),
    "a kernel without end": (("--layer", "ConvTranspose2d(1, 1, 100000)"), "multiply-adds"),
    "channels without end": (("--layer", "ConvTranspose2d(100000, 100000, 3)"), "multiply-adds"),
    "no folder": (("--layer", UP, "--html", "no/such/folder.html"), "cannot be written"),
    "one file for two": (("--layer", UP, "--html", "a", "--summary", "a"), "is both"),
    "an option of files": (("--layer", UP, "--trust"), "is for a MODEL"),
    "no file": (("m.onnx",), "No such file"),
    "no model": (("m.txt",), "is no model that can be read"),
    "code": (("module:factory",), "if you trust it, say --trust"),
    "weights alone": (("w.safetensors",), "name them in a file, --layer-file"),
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finished]:
    """What each came to."""
    folder = tmp_path_factory.mktemp("refused")
    save_file({"w": np.zeros(1, np.float32)}, folder / "w.safetensors")
    return one_after_the_other(folder, {name: ("audit", *arguments) for name, (arguments, _) in REFUSED.items()})


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_one_line(name: str, refused: dict[str, Finished]) -> None:
    """Exit status 2, and nothing was run."""
    done = refused[name]
    assert (done.status, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert REFUSED[name][1] in line


def model(folder: Path) -> None:
    """An ONNX model of two layers with the same words and other weights."""
    value, rng = helper.make_tensor_value_info, np.random.default_rng(0)
    weights = [numpy_helper.from_array(rng.normal(size=(2, 2, 4)).astype(np.float32), f"W{i}") for i in range(2)]
    nodes = [
        helper.make_node("ConvTranspose", ["X", f"W{i}"], [f"Y{i}"], name=f"up{i}", strides=[2], pads=[1, 1])
        for i in range(2)
    ]
    outputs = [value(f"Y{i}", TensorProto.FLOAT, None) for i in range(2)]
    graph = helper.make_graph(nodes, "g", [value("X", TensorProto.FLOAT, [1, 2, 5])], outputs, weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=9)
    (folder / "m.onnx").write_bytes(made.SerializeToString())


@frameworks
def test_a_model_is_ported_into_every_format(tmp_path: Path) -> None:
    """Two layers with the same words are one entry, both of whose weights were run; the module's tests pass."""
    model(tmp_path)
    files = ("--json", "a.json", "--html", "a.html", "--summary", "a.md", "--python", "ported.py")
    done = deconvdiff(tmp_path, "audit", "m.onnx", "--to", "torch", *files)
    assert done.status == 0, done.stderr
    assert "1 of 1 distinct layers are ported and proved; 0 skipped" in done.stdout
    data = json.loads((tmp_path / "a.json").read_text())
    (layer,) = data["layers"]
    assert (layer["names"], layer["input_sizes"]) == (["up0", "up1"], [[5], [5]])
    (target,) = layer["targets"]
    assert (target["verdict"], target["verified"]["integers"]) == ("portable", "equal")
    assert target["verified"]["bound_ratio"] <= 1
    assert target["verified"]["weights"] in layer["names"]
    assert "<!doctype html>" in (tmp_path / "a.html").read_text()
    assert "portable" in (tmp_path / "a.md").read_text()
    for command in ([], ["-m", "pytest", "-q", "-p", "no:cacheprovider"]):
        subprocess.run([sys.executable, *command, "ported.py"], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "snippet.py").write_text(target["snippet"])
    subprocess.run([sys.executable, "snippet.py"], cwd=tmp_path, check=True, capture_output=True)


@frameworks
def test_json_goes_to_stdout_alone(tmp_path: Path) -> None:
    """A named output size without an input size: the input's is found on each axis."""
    layer = "nn.ConvTranspose2d(1, 1, 3, 2, 1)(x, output_size=(8, 13))"
    done = deconvdiff(tmp_path, "audit", "--layer", layer, "--to", "torch", "--json", "-")
    assert done.status == 0, done.stderr
    (entry,) = done.document["layers"]
    assert (entry["input_size"], entry["output_size"]) == ([4, 7], [8, 13])
    assert list(tmp_path.iterdir()) == []


@frameworks
def test_what_cannot_be_expressed_is_status_1(tmp_path: Path) -> None:
    """No argument of TensorFlow's function says groups; nor does any crop say CIRCULAR."""
    done = deconvdiff(tmp_path, "audit", "--layer", "ConvTranspose1d(2, 2, 3, groups=2)", "--to", "tensorflow")
    assert done.status == 1
    assert "tf.nn.conv_transpose: cannot, integers not-run" in done.stdout
    circular = "nn.ConvTranspose(1, (3,), padding='CIRCULAR')"
    done = deconvdiff(tmp_path, "audit", "--layer", circular, "--from", "flax", "--to", "torch")
    assert done.status == 1
    assert "skipped layer: means no layer: CIRCULAR wraps" in done.stdout


MISSING = """
from harness.frameworks import registry

registry.missing = lambda kind, mode: "it is not installed: pip install it"
from harness.cli import main
main()
"""


def test_a_named_framework_that_is_missing_is_status_3(tmp_path: Path) -> None:
    """Its recipe is shown, and that it was not run; no snippet is."""
    arguments = ("audit", "--layer", UP, "--to", "jax.lax.conv_transpose", "--json", "-")
    done = deconvdiff(tmp_path, *arguments, program=MISSING)
    assert done.status == 3
    assert done.told == ["deconvdiff: nothing was run on jax: it is not installed: pip install it"]
    (target,) = done.document["layers"][0]["targets"]
    assert (target["verdict"], target["snippet"], target["verified"]["integers"]) == ("portable", None, "not-run")


@frameworks
def test_what_is_not_named_and_missing_is_left_out(tmp_path: Path) -> None:
    """It is said; where nothing is left to be asked that is no success."""
    done = deconvdiff(tmp_path, "audit", "--layer", UP, "--json", "-", program=MISSING)
    assert done.status == 3
    assert len(done.told) == 5
    assert done.document["layers"][0]["targets"] == []
    some = MISSING.replace("lambda kind, mode: ", "lambda kind, mode: None if kind.framework == 'torch' else ")
    done = deconvdiff(tmp_path, "audit", "--layer", UP, "--json", "-", program=some)
    assert done.status == 0
    assert [target["api"] for target in done.document["layers"][0]["targets"]] == ["torch.nn.ConvTranspose"]


SLOW = """
import pathlib
from harness.audit import text

snippet = text.Port.snippet
text.Port.snippet = lambda port: (
    "import os, pathlib, time\\npathlib.Path({!r}).write_text(str(os.getpid()))\\ntime.sleep(600)"
).format(str(pathlib.Path("pid").absolute()))
from harness.cli import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    """One line, exit status 130, and what was running is ended."""
    process = start(tmp_path, "audit", "--layer", UP, "--to", "torch", "--html", "a.html", program=SLOW)
    mark = tmp_path / "pid"
    while not (mark.exists() and mark.read_text()):
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, number)
    done = finish(process)
    assert (done.status, done.told) == (130, ["deconvdiff: interrupted"])
    assert not (tmp_path / "a.html").exists()
    try:
        psutil.Process(int(mark.read_text())).wait(60)
    except psutil.NoSuchProcess:
        return
