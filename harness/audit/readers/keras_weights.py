"""The weights of a ``.keras`` archive: HDF5, of which nothing outside the file is followed."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.audit.readers.arrays import NoWeight
from harness.errors import UsageError

_WEIGHTS = "model.weights.h5"

#: bytes that the weights may have, and how many times the archive's size: Keras does not compress them
_LARGEST = 4 * 2**30
_RATIO = 200
_BLOCK = 2**20


def unpacked(archive: zipfile.ZipFile, source: str, folder: Path) -> Path:
    """The weights of an archive as a file in a folder.

    Raises:
        UsageError: there are none, or they are larger than any that are read.
    """
    if _WEIGHTS not in archive.namelist():
        raise UsageError(f"{source}: has no {_WEIGHTS}: save the whole model with model.save, in one file")
    most = min(_LARGEST, _RATIO * Path(source).stat().st_size)
    into, size = folder / _WEIGHTS, 0
    with archive.open(_WEIGHTS) as packed, into.open("wb") as out:
        while block := packed.read(_BLOCK):
            size += len(block)
            if size > most:
                raise UsageError(f"{source}: {_WEIGHTS} unpacks to more than {most} bytes: save it with model.save")
            out.write(block)
    return into


class Group:
    """A model's or a layer's place in the file: its own variables, and the layers in it.

    Keras names the places after the classes of the layers, counted; newer versions write the layer's own name beside
    its variables, which is the surer sign.
    """

    def __init__(self, group: Any) -> None:
        self._group = group
        self._layers = None if group is None else _member(group, "layers")
        self._places = {} if self._layers is None else dict(_named_places(self._layers))
        self._counts: Counter[str] = Counter()

    def layer(self, name: str, class_name: str) -> Group:
        """The place of the next layer of a class; the calls must come in the model's order."""
        kind = snake_case(class_name)
        count = self._counts[kind]
        self._counts[kind] += 1
        if self._layers is None:
            return Group(None)
        return Group(_member(self._layers, self._places.get(name) or (f"{kind}_{count}" if count else kind)))

    def variables(self) -> list[NDArray[Any]]:
        """The variables of a layer, in its own order.

        Raises:
            NoWeight: there are none, or they are not simply in the file.
        """
        held = None if self._group is None else _member(self._group, "vars")
        if held is None or not len(held):
            raise NoWeight("the archive has no weights for it")
        names = sorted((name for name in held if name.isdigit()), key=int)
        return [_array(_member(held, name)) for name in names]


def snake_case(name: str) -> str:
    """A class's name as Keras writes it in paths.

    >>> snake_case("Conv2DTranspose"), snake_case("InputLayer")
    ('conv2d_transpose', 'input_layer')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _member(group: Any, name: str) -> Any:
    """What stands in a group under a name, unless it is a link to somewhere else."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        return None
    return group[name]


def _named_places(layers: Any) -> Iterator[tuple[str, str]]:
    """The names that layers have beside their variables, each with its place."""
    for place in layers:
        layer = _member(layers, place)
        held = _member(layer, "vars") if hasattr(layer, "keys") else None
        name = None if held is None else held.attrs.get("name")
        if isinstance(name, str):
            yield name, place


def _array(dataset: Any) -> NDArray[Any]:
    import h5py

    if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual or dataset.external:
        raise NoWeight("its weights are not in the archive itself: that is not followed")
    if dataset.nbytes > _LARGEST:
        raise NoWeight(f"its weights have {dataset.nbytes} bytes, more than is read")
    array = np.array(dataset[()])
    if dataset.attrs.get("dtype") == "bfloat16" and array.dtype.itemsize == 2:
        return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return array
