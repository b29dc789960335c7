"""What the process that reads hands over comes out as it went in, and what a file says does not steer a terminal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness import Spelling
from harness.audit.found import FoundLayer, Model, SkippedLayer
from harness.audit.readers import handed
from harness.audit.readers.cuts import Cutting
from harness.errors import UsageError

ASKED = Spelling("onnx.ConvTranspose", {"kernel_shape": (1,), "pads": ((0, 1),), "B": False})


def test_a_model_is_the_same_on_the_other_side(tmp_path: Path) -> None:
    """Numbers with their dtype, sizes, cuts and None where there was None; arrays cannot be written to."""
    weight = np.arange(3, dtype=np.float16).reshape(1, 3, 1)
    layer = FoundLayer("up", ASKED, 1, (8,), weight, None, ((1, None),), ("note",))
    handed.hand_over(tmp_path, Model("m.onnx", (layer,), (SkippedLayer("b", "reason"),)))
    model = handed.take(tmp_path, "m.onnx")
    assert model is not None
    found = model.layers[0]
    fields = ("name", "spelling", "ndim", "input_size", "bias", "cut", "notes")
    assert all(getattr(found, name) == getattr(layer, name) for name in fields)
    assert found.weight is not None
    assert (found.weight.dtype, found.weight.tolist()) == (weight.dtype, weight.tolist())
    assert not found.weight.flags.writeable
    assert model.skipped == (SkippedLayer("b", "reason"),)


def test_names_and_reasons_are_one_short_line(tmp_path: Path) -> None:
    """Control characters, line ends and endless names are a file's doing."""
    layer = FoundLayer("a\x1b[2J\nb" + "c" * 1000, ASKED, 1)
    handed.hand_over(tmp_path, Model("m", (layer,), (SkippedLayer("\x07", "x\r" * 1000),)))
    model = handed.take(tmp_path, "m")
    assert model is not None
    texts = (model.layers[0].name, model.skipped[0].name, model.skipped[0].reason)
    assert all(text.isprintable() and len(text) <= 500 for text in texts)
    assert model.layers[0].name.startswith("a [2J b")


def test_an_error_is_raised_on_the_other_side(tmp_path: Path) -> None:
    """One line; and without an answer there is no model."""
    assert handed.take(tmp_path, "m") is None
    handed.hand_over(tmp_path, "m: is\nno model")
    with pytest.raises(UsageError, match=r"^m: is no model$"):
        handed.take(tmp_path, "m")


def test_more_layers_than_any_model_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs a file."""
    monkeypatch.setattr(handed, "MAX_LAYERS", 1)
    with pytest.raises(UsageError, match="more than 1 transposed"):
        handed.hand_over(tmp_path, Model("m", (FoundLayer("a", ASKED, 1), FoundLayer("b", ASKED, 1))))


def test_a_cut_takes_each_axis_once_and_all_of_a_slice_or_nothing() -> None:
    """Channels, batches, steps and a second slice of an axis are no cut of the layer's output."""
    cutting = Cutting(2)
    assert cutting.take_all([(0, 0, 2**63 - 1, 1), (-1, 2, 2**31 - 1, 1)])
    assert cutting.cut == ((0, None), (2, None))
    for refused in ([(2, 1, None, 1), (3, 1, None, 1)], [(2, 0, 4, 2)], [(1, 0, 3, 1)], [(5, 1, 2, 1)]):
        assert not cutting.take_all(refused)
    assert cutting.cut == ((0, None), (2, None))


def test_channels_last_axes_are_counted_from_behind_the_batch() -> None:
    """Axis 1 is the first spatial one, and the last is no spatial one."""
    cutting = Cutting(1, channels_last=True)
    assert cutting.take(1, 1, -1)
    assert not cutting.take(2, 1, None)
    assert cutting.cut == ((1, -1),)
