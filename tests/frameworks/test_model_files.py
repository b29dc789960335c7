"""Models that the installed frameworks save: what is read of them computes what they compute."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness import Spelling, reference
from harness.audit.found import FoundLayer, Model
from harness.audit.readers import factory as factories
from harness.audit.readers import onnx_file, program_file, read_model
from harness.audit.readers import state_dict_file as state_dicts
from harness.audit.readers.onnx_words import OnnxConvTranspose
from harness.audit.readers.request import Request, WrittenLayer
from harness.errors import UsageError
from harness.frameworks.base import Api
from harness.frameworks.registry import apis
from harness.records import Resolved

pytestmark = pytest.mark.frameworks

KINDS: tuple[type[Api], ...] = (*apis(), OnnxConvTranspose)
APIS = {kind.name: kind() for kind in KINDS}


def computed(layer: FoundLayer, x: NDArray[Any]) -> NDArray[Any]:
    """What a found layer makes of canonical x, by the reference: cut and all."""
    api = APIS[layer.spelling.api]
    resolved = api.resolve(layer.spelling, x.shape[2:])
    assert isinstance(resolved, Resolved), resolved
    assert layer.weight is not None
    shape = resolved.layer.weight_shape
    place = api.native_weight(np.arange(np.prod(shape)).reshape(shape), layer.spelling)
    weight = np.empty(place.size, layer.weight.dtype)
    weight[place.ravel()] = layer.weight.ravel()
    y = reference.conv_transpose(x, weight.reshape(shape), layer.bias, resolved.layer)
    return y[(..., *(slice(begin, end) for begin, end in layer.cut))]


def assert_computes(layer: FoundLayer, x: NDArray[Any], y: NDArray[Any]) -> None:
    """The found layer gives y, up to rounding."""
    np.testing.assert_allclose(computed(layer, x), y, rtol=1e-4, atol=1e-5)


MODELS = """
import torch
from torch import nn
from torch.nn.utils import parametrizations

class Up(nn.Module):
    def __init__(self, layer, cut=None, **call):
        super().__init__()
        self.up, self.cut, self.call = layer, cut, call

    def forward(self, x):
        y = self.up(x, **self.call)
        return y if self.cut is None else y[self.cut]

def seeded(make):
    torch.manual_seed(0)
    return make().eval()

def normed():
    return seeded(lambda: Up(nn.utils.weight_norm(nn.ConvTranspose1d(4, 6, 8, 4, padding=1)), (..., slice(1, -2))))

def parametrized():
    layer = lambda: parametrizations.weight_norm(nn.ConvTranspose2d(4, 6, (3, 2), 2, groups=2, bias=False))
    return seeded(lambda: Up(layer(), (slice(None), slice(None), slice(1, None))))

def spectral():
    return seeded(lambda: Up(parametrizations.spectral_norm(nn.ConvTranspose1d(4, 6, 3, dilation=2))))

def padded():
    cut = lambda y: nn.functional.pad(y, (-1, 0, -2, -3))
    class Padded(Up):
        def forward(self, x):
            return cut(super().forward(x))
    return seeded(lambda: Padded(nn.utils.weight_norm(nn.ConvTranspose2d(4, 6, 4, 2))))

def old_spectral():
    return seeded(lambda: Up(nn.utils.spectral_norm(nn.ConvTranspose1d(4, 6, 3, 2)), output_size=(12,)))

class Own(nn.ConvTranspose1d):
    def forward(self, x):
        return 2 * super().forward(x)

class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.own, self.lazy, self.twice = Own(4, 4, 1), nn.LazyConvTranspose1d(2, 1), nn.ConvTranspose1d(4, 4, 1)

    def forward(self, x):
        y = self.twice(self.twice(self.own(x)))
        z = self.lazy(y)
        return nn.functional.conv_transpose1d(y, torch.ones(4, 1, 1)), z, z[..., 1:]
"""

#: the models, with the shape of their input and the note on what was folded
FACTORIES = {
    "normed": ((1, 4, 5), "weight_norm folded"),
    "parametrized": ((1, 4, 3, 5), "weight_norm folded"),
    "padded": ((1, 4, 3, 5), "weight_norm folded"),
    "spectral": ((1, 4, 5), "spectral_norm folded"),
    "old_spectral": ((1, 4, 5), "spectral_norm folded"),
}


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch", reason="pip install 'deconvdiff[torch]'")


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The module ``models`` in the current folder, and what is in it."""
    pytest.importorskip("torch", reason="pip install 'deconvdiff[torch]'")
    (tmp_path / "models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    found: dict[str, Any] = {}
    exec(MODELS, found)  # our own text
    return found


def called(torch: Any, model: Any, shape: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
    """An input, and what the model makes of it."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return x.numpy(), model(x).numpy()


def made(factory: str, shape: tuple[int, ...] | None = None) -> Model:
    """What a factory makes, read here: a process of its own takes seconds."""
    return factories.read(Request(factory, "factory", (), shape))


@pytest.mark.parametrize("name", FACTORIES)
@pytest.mark.filterwarnings("ignore")
def test_a_module_s_layers_compute_what_it_computes(models: dict[str, Any], torch: Any, name: str) -> None:
    """Weight and spectral normalisation of both kinds, groups, cuts and output_size=, seen by calling the model."""
    shape, note = FACTORIES[name]
    (layer,) = made(f"models:{name}", shape).layers
    assert layer.name == "up"
    assert layer.input_size == shape[2:]
    assert layer.notes[0] == note
    assert_computes(layer, *called(torch, models[name](), shape))


@pytest.mark.usefixtures("models")
def test_what_cannot_be_seen_of_a_module_is_said() -> None:
    """A forward of one's own, a module called twice, a bare function, a slice of what is returned too, no call."""
    model = made("models:Odd", (1, 4, 5))
    notes = {one.name: " ".join(one.notes) for one in model.layers}
    assert "Own has a forward of its own" in notes["own"]
    assert "called 2 times" in notes["twice"]
    assert "a slice after it is outside the layer" in notes["lazy"]
    assert [one.name for one in model.skipped] == ["torch.nn.functional.conv_transpose1d"]
    unseen = read_model("models:Odd", trust=True)  # in its own process, as a person asks for it
    assert [one.input_size for one in unseen.layers] == [None, None]
    assert [one.name for one in unseen.skipped] == ["lazy"]
    with pytest.raises(UsageError, match=r"cannot be called with an input of shape \(1, 3, 5\)"):
        made("models:Odd", (1, 3, 5))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "cut"), [("normed", ((1, -2),)), ("padded", ((2, -3), (1, None)))])
def test_an_exported_program_computes_what_it_computes(
    models: dict[str, Any], torch: Any, tmp_path: Path, name: str, cut: Any
) -> None:
    """As exported and in core ATen operations, with the weights made of parameters and the cut."""
    shape, _ = FACTORIES[name]
    program = torch.export.export(models[name](), (torch.zeros(shape),))
    torch.export.save(program, tmp_path / "m.pt2")
    torch.export.save(program.run_decompositions(), tmp_path / "core.pt2")
    for file in ("m.pt2", "core.pt2"):
        (layer,) = program_file.read(Request(str(tmp_path / file), "program_file")).layers
        assert layer.input_size == shape[2:]
        assert layer.cut == cut
        assert any("folded" in note for note in layer.notes)
        assert_computes(layer, *called(torch, models[name](), shape))


@pytest.mark.parametrize("name", ["normed", "parametrized", "padded", "old_spectral"])  # the exporter has no vdot
@pytest.mark.filterwarnings("ignore")
def test_an_exported_onnx_model_computes_what_it_computes(
    models: dict[str, Any], torch: Any, name: str, tmp_path: Path
) -> None:
    """With the exporter that needs no further package; weight_norm is arithmetic on constants there."""
    shape, _ = FACTORIES[name]
    model, path = models[name](), tmp_path / "m.onnx"
    try:
        torch.onnx.export(model, (torch.zeros(shape),), path, dynamo=False)
    except (ImportError, TypeError) as error:  # newer ones ask for onnxscript
        pytest.skip(str(error))
    (layer,) = onnx_file.read(Request(str(path), "onnx_file")).layers
    assert layer.input_size == shape[2:]
    assert_computes(layer, *called(torch, model, shape))


def state(path: Path, *, bias: bool = False) -> Model:
    """The layer up of a state dict, read here: the processes are tested elsewhere, and take seconds."""
    words = {"in_channels": 2, "out_channels": 3, "kernel_size": (4,), "bias": bias}
    asked = WrittenLayer("up", Spelling("torch.nn.ConvTranspose", words), 1, (5,))
    return state_dicts.read(Request(str(path), "state_dict_file", (asked,)))


@pytest.mark.parametrize("norm", ["none", "weight_norm", "old weight_norm", "spectral_norm", "old spectral_norm"])
@pytest.mark.filterwarnings("ignore")
def test_a_state_dict_computes_what_its_module_computes(torch: Any, norm: str, tmp_path: Path) -> None:
    """The normalisations are folded as PyTorch folds them."""
    new, old, none = torch.nn.utils.parametrizations, torch.nn.utils, type("", (), {"none": staticmethod(lambda m: m)})
    place = none if norm == "none" else old if norm.startswith("old") else new
    layer = getattr(place, norm.removeprefix("old "))(torch.nn.ConvTranspose1d(2, 3, 4)).eval()
    torch.save({"model": torch.nn.ModuleDict({"up": layer}).state_dict()}, tmp_path / "m.pt")
    (found,) = state(tmp_path / "m.pt", bias=True).layers
    assert found.notes[0] == "found as 'model.up'"
    assert_computes(found, *called(torch, layer, (1, 2, 5)))


class _Bomb:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.mark),))


@pytest.mark.filterwarnings("ignore")
def test_pickles_that_run_code_are_refused(torch: Any, tmp_path: Path) -> None:
    """As a plain pickle, inside of what torch.save writes, and a whole module: nothing of it is run."""
    mark = tmp_path / "sprung"
    torch.save({"up.weight": _Bomb(mark)}, tmp_path / "zip.pt")
    (tmp_path / "plain.bin").write_bytes(pickle.dumps(_Bomb(mark)))
    torch.save(torch.nn.ConvTranspose1d(2, 3, 4), tmp_path / "whole.pth")
    for name in ("zip.pt", "plain.bin", "whole.pth"):
        with pytest.raises(UsageError, match=r"which is not read: save model.state_dict\(\), or safetensors"):
            state(tmp_path / name)
    assert not mark.exists()


@pytest.mark.filterwarnings("ignore")
def test_state_dicts_that_are_none_are_one_line(torch: Any, tmp_path: Path) -> None:
    """Without the layer, of another shape, a list, TorchScript; and truncated, where it is PyTorch that says it."""
    weight, layers = torch.ones(2, 3, 4), tmp_path / "layers.json"
    torch.save({"down.weight": weight}, tmp_path / "other.pt")
    torch.save({"up.weight": torch.zeros(3, 2, 4)}, tmp_path / "shape.pt")
    torch.save([weight], tmp_path / "list.pt")
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), tmp_path / "script.pt")
    said = {
        "other": "there is no tensor 'up.weight'",
        "shape": r"has the shape \(3, 2, 4\), but the layer as it is written has \(2, 3, 4\)",
        "list": "holds no tensors by name",
        "script": "is a TorchScript archive",
    }
    for name, part in said.items():
        with pytest.raises(UsageError, match=part):
            state(tmp_path / f"{name}.pt")
    (tmp_path / "truncated.pt").write_bytes((tmp_path / "other.pt").read_bytes()[:-200])
    layers.write_text(json.dumps([{"name": "up", "layer": "ConvTranspose1d(2, 3, 4)"}]))
    with pytest.raises(UsageError, match="cannot be read as a PyTorch state dict") as raised:
        read_model(str(tmp_path / "truncated.pt"), layer_file=layers)
    assert str(raised.value).isprintable()


FLAX = """
import jax, numpy as np
from flax import linen, nnx

class Linen(linen.Module):
    @linen.compact
    def __call__(self, x):
        x = linen.ConvTranspose(6, (3, 2), strides=(2, 3), name="up", transpose_kernel=True)(x)
        return linen.ConvTranspose(2, (2, 2), padding=((1, 1), (0, 1)), use_bias=False)(x)

def linen_model():
    return Linen(), Linen().init(jax.random.key(1), np.zeros((1, 4, 5, 3), np.float32))

class Nnx(nnx.Module):
    def __init__(self):
        self.up = nnx.ConvTranspose(3, 6, (3, 2), strides=2, rngs=nnx.Rngs(0))
        self.down = nnx.ConvTranspose(6, 2, (2, 2), padding=1, transpose_kernel=True, rngs=nnx.Rngs(1))

    def __call__(self, x):
        return self.down(self.up(x))
"""


def test_flax_modules_compute_what_they_compute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linen with its variables, and nnx, both orientations of the kernel; linen is refused where it has no layers."""
    pytest.importorskip("flax", reason="pip install 'deconvdiff[flax]'")
    (tmp_path / "flaxen.py").write_text(FLAX)
    monkeypatch.syspath_prepend(str(tmp_path))
    import flaxen  # type: ignore[import-not-found]

    x = np.random.default_rng(0).normal(size=(1, 4, 5, 3)).astype(np.float32)
    model, variables = flaxen.linen_model()
    for factory, y in {"linen_model": model.apply(variables, x), "Nnx": flaxen.Nnx()(x)}.items():
        layers = {one.input_size: one for one in made(f"flaxen:{factory}", x.shape).layers}
        first, second = layers.pop((4, 5)), next(iter(layers.values()))
        found = computed(second, computed(first, np.moveaxis(x, -1, 1)))
        np.testing.assert_allclose(np.moveaxis(found, 1, -1), y, rtol=1e-4, atol=1e-5)
    with pytest.raises(UsageError, match="give the shape of an input"):
        made("flaxen:Linen")
    assert [one.input_size for one in made("flaxen:Nnx").layers] == [None, None]


KERAS = """
import keras, numpy as np
L, rng = keras.layers, np.random.default_rng(0)
x = keras.Input((6, 6, 4), name="x")
a = L.Conv2DTranspose(6, 3, strides=2, padding="same", name="a")(x)
b = L.Cropping2D(((1, 2), (0, 1)), name="crop")(a)
inner = keras.Sequential([keras.Input((9, 11, 6)), L.Lambda(lambda t: t, name="code"), L.Conv2DTranspose(3, (2, 4),
    strides=3, output_padding=(1, 2), name="b", use_bias=False)], name="inner")
c = inner(b)
d = L.Conv2DTranspose(2, 2, activation="relu", name="c")(c)[:, 1:-1, 2:]
model = keras.Model(x, d)
model.set_weights([rng.normal(size=one.shape) for one in model.get_weights()])
values = rng.normal(size=(1, 6, 6, 4)).astype("float32")
parts = keras.Model(x, [b, c, d]).predict(values, verbose=0)
model.save("m.keras")
np.savez("seen.npz", x=values, **dict(zip("abc", parts)))
"""


def test_a_keras_model_computes_what_it_computes(tmp_path: Path) -> None:
    """Functional, Sequential inside, a Lambda beside it, Cropping2D and indexing after, an activation."""
    pytest.importorskip("keras", reason="pip install 'deconvdiff[keras]'")
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KERAS)],
        cwd=tmp_path,
        env={**os.environ, **quiet},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()[-2000:]
    model = read_model(str(tmp_path / "m.keras"))
    assert [one.name for one in model.layers] == ["a", "inner/b", "c"]
    assert [one.input_size for one in model.layers] == [(6, 6), (9, 11), model.layers[2].input_size]
    assert [one.name for one in model.skipped] == ["inner/code"]
    assert model.layers[2].notes[0] == "its activation 'relu' is outside the layer"
    with np.load(tmp_path / "seen.npz") as seen:
        images = {name: np.moveaxis(seen[name], -1, 1) for name in "xabc"}
    assert_computes(model.layers[0], images["x"], images["a"])
    assert_computes(model.layers[1], images["a"], images["b"])
    np.testing.assert_allclose(np.maximum(computed(model.layers[2], images["b"]), 0), images["c"], rtol=1e-4, atol=1e-5)
