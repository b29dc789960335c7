"""Layer files: both forms, and what is wrong with one said in a line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.audit.readers import read_model
from harness.audit.readers.layer_file import read_layers
from harness.errors import UsageError

JSON = """[{"name": "up", "layer": "ConvTranspose2d(1, 2, 3)", "from": "torch", "input_size": [8, 9]},
{"name": "b", "layer": "ConvTranspose2d(2, 1, 3)"}]"""
TOML = """
[[layers]]
name = "up"
layer = "ConvTranspose2d(1, 2, 3)"
input_size = [8, 9]
[[layers]]
name = "b"
layer = "ConvTranspose2d(2, 1, 3)"
"""
UP = '{"name": "up", "layer": "ConvTranspose2d(1, 2, 3)"}'


def written(folder: Path, text: str, name: str = "layers.json") -> Path:
    """A file with this text."""
    path = folder / name
    path.write_text(text)
    return path


def test_json_and_toml_say_the_same(tmp_path: Path) -> None:
    """Entries in order, the source torch where it is left out."""
    first = read_layers(written(tmp_path, JSON))
    assert first == read_layers(written(tmp_path, TOML, "layers.toml"))
    assert [(one.name, one.spelling.api, one.input_size) for one in first] == [
        ("up", "torch.nn.ConvTranspose", (8, 9)),
        ("b", "torch.nn.ConvTranspose", None),
    ]


def test_a_layer_file_alone_is_a_model_without_weights(tmp_path: Path) -> None:
    """Nothing is opened in another process for it."""
    model = read_model(str(written(tmp_path, JSON)))
    assert [(one.name, one.input_size, one.weight) for one in model.layers] == [("up", (8, 9), None), ("b", None, None)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("{}", "has no list of layers"),
        ("[]", "has no list of layers"),
        ('["ConvTranspose2d(1, 1, 1)"]', "layer 1: is no entry"),
        ('[{"name": "up"}]', "layer=None must be a text"),
        ('[{"name": "up", "layer": "ConvTranspose2d(1, 2, 3)", "form": "torch"}]', "'form' is not a field"),
        ('[{"name": "up", "layer": "ConvTranspose2d(1, 2, size=3)"}]', r"layer 1 \('up'\): .*size"),
        ('[{"name": "up", "layer": "ConvTranspose2d(1, 2, 3)", "input_size": [8]}]', "must have 2 entries"),
        ('[{"name": "up", "layer": "ConvTranspose2d(1, 2, 3)", "input_size": true}]', "input_size=True must be"),
        (f"[{UP}, {UP}]", "'up' is named twice"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    """The file, the entry and the rule; never a traceback."""
    with pytest.raises(UsageError, match=said) as raised:
        read_model(str(written(tmp_path, text)))
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) <= 500


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe that nobody writes to, a folder, nothing at all, a folder in the way."""
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    for name, said in {"pipe": "no regular file", "folder": "is a folder", "none": "No such file"}.items():
        with pytest.raises(UsageError, match=said):
            read_model(str(tmp_path / f"{name}.json"))
