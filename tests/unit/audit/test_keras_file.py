"""What is read of ``.keras`` archives, each written here by hand: Keras's own are read in tests/frameworks."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from harness.audit.found import FoundLayer, Model
from harness.audit.readers import keras_file, keras_weights
from harness.audit.readers.request import Request
from harness.errors import UsageError

KERNEL = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
BIAS = np.ones(3, np.float32)


def layer(name: str, kind: str = "Conv1DTranspose", **config: Any) -> dict[str, Any]:
    """One layer of Keras's own, built for (5, 2)."""
    words = {"filters": 3, "kernel_size": [4], "strides": [2], "padding": "same", "use_bias": True}
    words = words if kind == "Conv1DTranspose" else {}
    shape = {"input_shape": [None, 5, 2]}
    return {
        "module": "keras.layers",
        "class_name": kind,
        "config": {"name": name, **words, **config},
        "build_config": shape,
    }


def sequential(*layers: Any, name: str = "model") -> dict[str, Any]:
    """A Sequential model."""
    return {"module": "keras", "class_name": "Sequential", "config": {"name": name, "layers": list(layers)}}


def saved(folder: Path, config: Any, **weights: Any) -> str:
    """An archive; weights by their place, with ``/`` for ``__``."""
    path = folder / "m.keras"
    with h5py.File(folder / "w.h5", "w") as file:
        for place, arrays in weights.items():
            group = file.create_group(f"layers/{place.replace('__', '/layers/')}/vars")
            for i, array in enumerate(arrays):
                group[str(i)] = array
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config if isinstance(config, (str, bytes)) else json.dumps(config))
        archive.write(folder / "w.h5", "model.weights.h5")
    return str(path)


def read(path: str) -> Model:
    """The archive, read here."""
    return keras_file.read(Request(path, "keras_file"))


def only(path: str) -> FoundLayer:
    """The one layer of an archive."""
    (found,) = read(path).layers
    return found


def test_places_are_counted_by_class_and_models_are_walked(tmp_path: Path) -> None:
    """The second layer of a class, and a model in the model, without names beside the weights."""
    inner = sequential(layer("deep", use_bias=False), name="inner")
    config = sequential(layer("a"), layer("r", "ReLU"), inner, layer("b"))
    place = keras_weights.snake_case("Conv1DTranspose")
    weights = {place: (KERNEL, BIAS), f"sequential__{place}": (KERNEL + 1,), f"{place}_1": (KERNEL + 2, BIAS)}
    found = read(saved(tmp_path, config, **weights))
    assert [one.name for one in found.layers] == ["a", "inner/deep", "b"]
    assert [float(one.weight.flat[0]) for one in found.layers if one.weight is not None] == [0, 1, 2]
    assert [one.bias is None for one in found.layers] == [False, True, False]
    assert found.layers[0].input_size == (5,)
    assert found.layers[0].spelling["in_channels"] == 2


def test_code_of_ones_own_is_passed_over_and_the_layers_beside_it_are_read(tmp_path: Path) -> None:
    """A Lambda, a custom class, one that takes a name of Keras's, a wrapper."""
    own = {**layer("own"), "module": "mypkg", "registered_name": "mypkg>Conv1DTranspose"}
    wrapper = layer("wrapper", "TimeDistributed", layer=layer("inside"))
    place = keras_weights.snake_case("Conv1DTranspose")
    config = sequential(layer("f", "Lambda"), own, wrapper, layer("up"))
    found = read(saved(tmp_path, config, **{f"{place}_1": (KERNEL, BIAS)}))
    assert [one.name for one in found.layers] == ["up"]
    assert {one.name: one.reason.split(" ")[0] for one in found.skipped} == {
        "f": "Lambda",
        "own": "Conv1DTranspose",
        "wrapper": "TimeDistributed",
    }


def test_a_cropping_right_after_is_taken_into_the_cut(tmp_path: Path) -> None:
    """In a Sequential model the next layer is the only one that takes the output."""
    place = keras_weights.snake_case("Conv1DTranspose")
    crop = layer("crop", "Cropping1D", cropping=[1, 2])
    found = only(saved(tmp_path, sequential(layer("up"), crop, crop), **{place: (KERNEL, BIAS)}))
    assert found.cut == ((1, -2),)
    assert found.notes[-2:] == (
        "Cropping1D 'crop' after it is taken into the crop",
        "Cropping1D 'crop' after it is outside the layer",
    )


def functional(*, also: bool) -> dict[str, Any]:
    """A Functional model in the older form of nodes: up, then a cropping, and maybe another layer that takes up."""
    nodes = {"up": [[["x", 0, 0, {}]]], "crop": [[["up", 0, 0, {}]]], "relu": [[["up", 0, 0, {}]]]}
    layers = [layer("up"), layer("crop", "Cropping1D", cropping=[0, 1]), *([layer("relu", "ReLU")] if also else [])]
    for one in layers:
        one["inbound_nodes"] = nodes[one["config"]["name"]]
    config = {"name": "m", "layers": layers, "output_layers": [["crop", 0, 0]]}
    return {"module": "keras", "class_name": "Functional", "config": config}


def test_a_cropping_of_what_others_take_too_is_outside(tmp_path: Path) -> None:
    """The same model with another layer that takes the output, and without."""
    place = keras_weights.snake_case("Conv1DTranspose")
    assert only(saved(tmp_path, functional(also=False), **{place: (KERNEL, BIAS)})).cut == ((0, -1),)
    found = only(saved(tmp_path, functional(also=True), **{place: (KERNEL, BIAS)}))
    assert (found.cut, found.notes) == ((), ("Cropping1D 'crop' after it is outside the layer",))


@pytest.mark.parametrize(
    ("config", "arrays", "reason"),
    [
        ({}, (KERNEL[:3], BIAS), "but its configuration has (4, 3, 2)"),
        ({}, (KERNEL,), "its variables have the shapes"),
        ({"groups": 2}, (KERNEL, BIAS), "groups=2"),
        ({"strides": [1, 1]}, (KERNEL, BIAS), "does not have 1 entries"),
        ({"filters": 2**40}, (KERNEL, BIAS), "out of all bounds"),
        ({}, (KERNEL.astype(np.int32), BIAS), "dtype int32"),
        ({}, (), "has no weights for it"),
    ],
)
def test_what_does_not_fit_is_a_reason_to_skip(
    tmp_path: Path, config: dict[str, Any], arrays: Any, reason: str
) -> None:
    """The layer is named with the reason; nothing is raised."""
    place = keras_weights.snake_case("Conv1DTranspose")
    found = read(saved(tmp_path, sequential(layer("up", **config)), **{place: arrays}))
    assert found.layers == ()
    assert reason in found.skipped[0].reason


def test_links_and_other_files_are_not_followed(tmp_path: Path) -> None:
    """An external link, and a dataset whose numbers lie in another file: neither is opened."""
    place = keras_weights.snake_case("Conv1DTranspose")
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["k"] = KERNEL
    (tmp_path / "raw").write_bytes(KERNEL.tobytes())
    for kind in ("link", "raw"):
        path = saved(tmp_path, sequential(layer("up", use_bias=False)))
        with h5py.File(tmp_path / "w.h5", "w") as file:
            group = file.create_group(f"layers/{place}/vars")
            if kind == "link":
                group["0"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/k")
            else:
                group.create_dataset("0", KERNEL.shape, "f4", external=[(str(tmp_path / "raw"), 0, KERNEL.nbytes)])
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps(sequential(layer("up", use_bias=False))))
            archive.write(tmp_path / "w.h5", "model.weights.h5")
        found = read(path)
        assert found.layers == ()
        assert "not followed" in found.skipped[0].reason


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("", "config.json is no JSON"),
        ("[" * 100_000, "config.json is no JSON"),
        ({"module": "mypkg", "class_name": "Mine", "config": {}}, "its model is 'Mine'"),
        ([], "its model is None"),
    ],
)
def test_what_is_no_model_is_one_line(tmp_path: Path, config: Any, said: str) -> None:
    """No JSON, endless JSON, a subclassed model whose layers stand in code."""
    with pytest.raises(UsageError, match=said):
        read(saved(tmp_path, config))


def test_weights_that_unpack_to_a_multiple_of_the_archive_are_not_unpacked(tmp_path: Path) -> None:
    """A thousand times the archive, in zeros: what is written is counted, whatever the archive says of itself."""
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(sequential(layer("up"))))
        archive.writestr("model.weights.h5", bytes(2**24))
    with pytest.raises(UsageError, match="unpacks to more than"):
        read(str(path))
