"""A file of layers, JSON or TOML: each entry has a name, the layer as its API writes it, and maybe an input size.

    [{"name": "decoder.up1", "layer": "ConvTranspose2d(64, 32, 4, stride=2, padding=1)", "from": "torch",
      "input_size": [8, 8]}]

In TOML, and in JSON if one likes, the entries are those of ``layers``: ``[[layers]]``. ``from`` is torch where it is
left out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.audit.readers.files import check_file
from harness.audit.readers.request import WrittenLayer
from harness.audit.written import parse_layer
from harness.errors import InvalidField, UsageError

SUFFIXES = (".json", ".toml")

_LARGEST = 16 * 2**20
_REQUIRED, _OPTIONAL = ("name", "layer"), ("from", "input_size")
_FORM = 'a list of entries such as {"name": "up1", "layer": "ConvTranspose2d(64, 32, 4, stride=2)", "from": "torch"}'


def read_layers(path: Path) -> tuple[WrittenLayer, ...]:
    """The entries of a layer file, each layer parsed.

    Raises:
        UsageError: names the file, the entry and what is wrong with it.
    """
    check_file(path)
    if (size := path.stat().st_size) > _LARGEST:
        raise UsageError(f"{path}: {size} bytes are more than a layer file has ({_LARGEST}): it is {_FORM}")
    try:
        data = _parsed(path)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: is not {path.suffix[1:].upper()} ({error}): write {_FORM}") from None
    entries = data.get("layers") if isinstance(data, Mapping) else data
    if not isinstance(entries, list) or not entries:
        raise UsageError(f"{path}: has no list of layers: write {_FORM}")
    layers = tuple(_layer(f"{path}: layer {i}", entry) for i, entry in enumerate(entries, 1))
    names = Counter(layer.name for layer in layers)
    if twice := next((name for name, count in names.items() if count > 1), None):
        raise UsageError(f"{path}: {twice!r} is named twice: each layer has a name of its own")
    return layers


def _parsed(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    if path.suffix.lower() == ".toml":
        import tomlkit

        return tomlkit.parse(text).unwrap()
    return json.loads(text)


def _layer(where: str, entry: object) -> WrittenLayer:
    if not isinstance(entry, Mapping):
        raise UsageError(f"{where}: is no entry with name and layer: write {_FORM}")
    if unknown := sorted(map(str, set(entry) - {*_REQUIRED, *_OPTIONAL})):
        known = ", ".join((*_REQUIRED, *_OPTIONAL))
        raise UsageError(f"{where}: {unknown[0]!r} is not a field of a layer: known are {known}")
    texts = {name: entry.get(name, "torch" if name == "from" else None) for name in (*_REQUIRED, "from")}
    if wrong := next((name for name, value in texts.items() if not (isinstance(value, str) and value)), None):
        raise UsageError(f"{where}: {wrong}={texts[wrong]!r} must be a text")
    try:
        spelling, ndim = parse_layer(texts["layer"], texts["from"])
    except (UsageError, InvalidField) as error:
        raise UsageError(f"{where} ({texts['name']!r}): {error}") from None
    return WrittenLayer(texts["name"], spelling, ndim, _size(where, entry.get("input_size"), ndim))


def _size(where: str, value: Any, ndim: int) -> tuple[int, ...] | None:
    if value is None:
        return None
    entries = [value] * ndim if type(value) is int else value
    if not isinstance(entries, list) or any(type(n) is not int or not 0 <= n < 2**31 for n in entries):
        raise UsageError(f"{where}: input_size={value!r} must be an integer or a list of them, one per spatial axis")
    if len(entries) != ndim:
        raise UsageError(f"{where}: input_size={value!r} must have {ndim} entries, one per spatial axis")
    return tuple(entries)
