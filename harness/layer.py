"""The canonical model: what is asked (``Layer``, ``Spelling``) and of which arrays (``Case``).

Everything is frozen and validated, has one JSON form both ways, and a content hash that does not move between
machines, Python or NumPy versions. Nothing here knows a framework.
"""

from __future__ import annotations

import hashlib
import json
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np

from harness import sizes
from harness.errors import InvalidField
from harness.values import (
    DTYPES,
    VALUE_KINDS,
    Arrays,
    Floats,
    draw_arrays,
    draw_cotangent,
    largest_cotangent,
    largest_magnitude,
)

SCHEMA = 1
MAX_NDIM = 3

Argument: TypeAlias = "bool | int | str | tuple[Argument, ...] | None"
PerAxis: TypeAlias = "int | Sequence[int]"

_BEYOND = 2**31
_ANY = 1 - _BEYOND

_PER_AXIS = ("kernel_size", "stride", "padding", "output_padding", "dilation")
_LAYER = ("in_channels", "out_channels", *_PER_AXIS, "groups", "bias")
_SPELLING_FIELDS = frozenset({"api", "arguments"})
_LAYER_FIELDS = frozenset(_LAYER)
_RECIPE = ("batch", "input_size", "dtype", "values", "seed")
_CASE_FIELDS = frozenset({*_RECIPE, "schema", "layer", "spelling"})
_CASE_REQUIRED = frozenset({"schema", "input_size"})

_all_of = attrgetter(*_LAYER)
_set = object.__setattr__
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


class Crop(NamedTuple):
    """How much of the full output is cut at the near and at the far end of one axis; negative extends with zeros."""

    lo: int
    hi: int


@dataclass(frozen=True, slots=True, init=False)
class Layer:
    """The hyper-parameters of one transposed convolution, in PyTorch's coordinates, one entry per spatial axis.

    ``kernel_size``, ``stride`` and ``dilation`` are at least 1; ``padding`` and ``output_padding`` may be any integers
    (``lo = padding``, ``hi = padding - output_padding``). ``groups`` divides both channel counts. Integers stand for
    every axis when ``ndim`` or another per-axis value says how many axes there are.

    Raises:
        InvalidField: names the field, the value and the rule.

    >>> layer = Layer(in_channels=2, out_channels=3, kernel_size=(3, 4), stride=2, padding=1, output_padding=(1, 0))
    >>> layer.ndim, layer.crops
    (2, (Crop(lo=1, hi=0), Crop(lo=1, hi=1)))
    >>> layer.output_size((4, 4))
    (8, 8)
    """

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    output_padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    bias: bool

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        kernel_size: PerAxis = 1,
        stride: PerAxis = 1,
        padding: PerAxis = 0,
        output_padding: PerAxis = 0,
        dilation: PerAxis = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        ndim: int | None = None,
    ) -> None:
        ndim = _ndim("kernel_size", (kernel_size, stride, padding, output_padding, dilation), ndim)
        _set(self, "kernel_size", _axes("kernel_size", kernel_size, ndim, 1))
        _set(self, "stride", _axes("stride", stride, ndim, 1))
        _set(self, "padding", _axes("padding", padding, ndim, _ANY))
        _set(self, "output_padding", _axes("output_padding", output_padding, ndim, _ANY))
        _set(self, "dilation", _axes("dilation", dilation, ndim, 1))
        _set(self, "in_channels", _integer("in_channels", in_channels, 1))
        _set(self, "out_channels", _integer("out_channels", out_channels, 1))
        _set(self, "groups", _integer("groups", groups, 1))
        if self.in_channels % self.groups or self.out_channels % self.groups:
            name = "in_channels" if self.in_channels % self.groups else "out_channels"
            raise InvalidField("groups", groups, f"must divide {name}={getattr(self, name)}")
        if not isinstance(bias, (bool, np.bool_)):
            raise InvalidField("bias", bias, "must be True or False")
        _set(self, "bias", bool(bias))

    @property
    def ndim(self) -> int:
        """Number of spatial axes, 1 to 3."""
        return len(self.kernel_size)

    @property
    def crops(self) -> tuple[Crop, ...]:
        """The crop of the full output, per axis."""
        return tuple([Crop(p, p - a) for p, a in zip(self.padding, self.output_padding, strict=True)])

    @property
    def effective_kernel_size(self) -> tuple[int, ...]:
        """``d (k - 1) + 1`` per axis."""
        axes = zip(self.kernel_size, self.dilation, strict=True)
        return tuple([sizes.effective_kernel_size(k, dilation=d) for k, d in axes])

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the canonical weight, ``(C_in, C_out / groups, *kernel_size)``."""
        return (self.in_channels, self.out_channels // self.groups, *self.kernel_size)

    def full_size(self, input_size: Sequence[int]) -> tuple[int, ...]:
        """Size of the full output per axis."""
        axes = zip(self._sizes(input_size), self.kernel_size, self.stride, self.dilation, strict=True)
        return tuple([sizes.full_size_of(n, k, s, d) for n, k, s, d in axes])

    def output_size(self, input_size: Sequence[int]) -> tuple[int, ...]:
        """Size of the output per axis; zero or negative where the crop leaves nothing."""
        full = self.full_size(input_size)
        axes = zip(full, self.padding, self.output_padding, strict=True)
        return tuple([f - 2 * p + a for f, p, a in axes])

    def products_per_output(self, input_size: Sequence[int]) -> int:
        """The largest number of products that meet in one output element, ``K`` of the error bound."""
        axes = zip(self._sizes(input_size), self.kernel_size, self.stride, self.dilation, strict=True)
        return self.in_channels // self.groups * math.prod([sizes.products_of(n, k, s, d) for n, k, s, d in axes])

    def multiply_adds(self, input_size: Sequence[int], *, batch: int = 1) -> int:
        """Multiply-adds of the scatter, ``N C_in (C_out / groups) Π n Π k``."""
        return batch * math.prod(self.weight_shape) * math.prod(self._sizes(input_size))

    def products_per_gradient(self, input_size: Sequence[int], *, batch: int = 1) -> tuple[int, int, int]:
        """How many products meet in one element of dx, of dweight, of dbias.

        >>> Layer(2, 3, 2, 2, ndim=1).products_per_gradient((4,), batch=5)
        (6, 20, 40)
        """
        n, m = self._sizes(input_size), self.output_size(input_size)
        per_input = self.out_channels // self.groups * math.prod(self.kernel_size)
        return per_input, batch * math.prod(n), batch * math.prod(m)

    def replace(self, **changes: Any) -> Layer:
        """The layer with some fields changed, validated again."""
        return Layer(**{**dict(zip(_LAYER, _all_of(self), strict=True)), **changes})

    def to_json(self) -> dict[str, Any]:
        """Plain data: integers, lists of integers and one flag, by field name."""
        return {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "kernel_size": list(self.kernel_size),
            "stride": list(self.stride),
            "padding": list(self.padding),
            "output_padding": list(self.output_padding),
            "dilation": list(self.dilation),
            "groups": self.groups,
            "bias": self.bias,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Layer:
        """Read ``to_json``'s form.

        Raises:
            InvalidField: an unknown or missing field, or a value that breaks a rule.
        """
        _check_keys("layer", data, _LAYER_FIELDS, required=_LAYER_FIELDS)
        return cls(**data)

    def _sizes(self, input_size: Sequence[int]) -> tuple[int, ...]:
        if len(input_size) != self.ndim:
            raise InvalidField("input_size", tuple(input_size), f"must have {self.ndim} entries, one per spatial axis")
        for n in input_size:
            if type(n) is not int or n < 0:
                sizes.check_input_size(n)
        return tuple(input_size)


@dataclass(frozen=True, slots=True, init=False)
class Spelling:
    """One API's own arguments, as a person would write them, legal or not. Sequences are kept as tuples.

    >>> Spelling("tf.nn.conv_transpose", {"padding": "SAME", "strides": [2]})["strides"]
    (2,)
    """

    api: str
    arguments: tuple[tuple[str, Argument], ...]

    def __init__(self, api: str, arguments: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        pairs = dict(arguments)
        if not (isinstance(api, str) and api):
            raise InvalidField("api", api, "must be the full name of an API")
        _set(self, "api", api)
        _set(self, "arguments", tuple([(str(name), _argument(name, pairs[name])) for name in pairs]))

    def __getitem__(self, name: str) -> Any:
        for written, value in self.arguments:  # a handful: less work than a dictionary
            if written == name:
                return value
        raise KeyError(name)

    def get(self, name: str, default: Any = None) -> Any:
        """The argument of that name, or ``default`` where the caller wrote none."""
        for written, value in self.arguments:
            if written == name:
                return value
        return default

    def replace(self, **changes: Any) -> Spelling:
        """The spelling with some arguments changed or added."""
        return Spelling(self.api, {**dict(self.arguments), **changes})

    def to_json(self) -> dict[str, Any]:
        """Plain data: the API's name and its arguments."""
        return {"api": self.api, "arguments": {name: _plain(value) for name, value in self.arguments}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spelling:
        """Read ``to_json``'s form."""
        _check_keys("spelling", data, _SPELLING_FIELDS, required=_SPELLING_FIELDS)
        if not isinstance(data["arguments"], Mapping):
            raise InvalidField("arguments", data["arguments"], "must be an object of arguments by name")
        return cls(data["api"], data["arguments"])


@dataclass(frozen=True, slots=True, init=False)
class Case:
    """A question and a recipe: the one unit of work.

    The question is a layer, asked of every API, or one API's spelling, asked of that API alone. The recipe (batch,
    input size, dtype, value kind, seed) makes every array again, the same on every machine.

    Raises:
        InvalidField: names the field, the value and the rule. A layer's case has at least one output element per axis.

    >>> case = Case(Layer(kernel_size=3, stride=2, ndim=1), input_size=(3,))
    >>> [None if a is None else a.shape for a in case.arrays()]
    [(1, 1, 3), (1, 1, 3), (1,)]
    >>> Case.from_json(case.to_json()) == case
    True
    """

    layer: Layer | None
    spelling: Spelling | None
    batch: int
    input_size: tuple[int, ...]
    dtype: str
    values: str
    seed: int

    def __init__(
        self,
        layer: Layer | None = None,
        *,
        batch: int = 1,
        input_size: PerAxis,
        dtype: str = "float32",
        values: str = "integers",
        seed: int = 0,
        spelling: Spelling | None = None,
    ) -> None:
        if (layer is None) == (spelling is None):
            raise InvalidField("layer", layer, "a case asks either a layer or a spelling, not both and not neither")
        if layer is not None and not isinstance(layer, Layer):
            raise InvalidField("layer", layer, "must be a Layer")
        ndim = layer.ndim if layer else _ndim("input_size", (input_size,), None)
        _set(self, "layer", layer)
        _set(self, "spelling", spelling)
        _set(self, "batch", _integer("batch", batch, 0))
        _set(self, "input_size", _axes("input_size", input_size, ndim, 0))
        _set(self, "dtype", _choice("dtype", dtype, DTYPES))
        _set(self, "values", _choice("values", values, VALUE_KINDS))
        _set(self, "seed", _integer("seed", seed, 0))
        if self.seed >= 2**64:
            raise InvalidField("seed", seed, "must be below 2**64")
        if layer is not None and min(layer.output_size(self.input_size)) < 1:
            size = layer.output_size(self.input_size)
            raise InvalidField("input_size", self.input_size, f"leaves no output: the output size would be {size}")

    @classmethod
    def spelled(cls, spelling: Spelling, *, input_size: PerAxis, **recipe: Any) -> Case:
        """A case that asks one API its own spelling, legal or not."""
        return cls(None, spelling=spelling, input_size=input_size, **recipe)

    @property
    def ndim(self) -> int:
        """Number of spatial axes."""
        return len(self.input_size)

    @property
    def content_hash(self) -> str:
        """64 hex digits that depend on the content alone."""
        return hashlib.sha256(_canonical(self.to_json()).encode()).hexdigest()

    def arrays(self, layer: Layer | None = None) -> Arrays:
        """The canonical arrays x ``(N, C_in, *n)``, weight ``(C_in, C_out/g, *k)``, bias ``(C_out,)`` or None.

        A spelled case has the arrays of the layer that its spelling resolves to: pass it. bfloat16 arrays are float32
        arrays that hold bfloat16 values. All are read-only for good: a target that writes to them raises.

        Raises:
            InvalidField: integers cannot be exact in this dtype with so many products per output element.
        """
        layer = self._asked(layer)
        return draw_arrays(
            x_shape=(self.batch, layer.in_channels, *self.input_size),
            weight_shape=layer.weight_shape,
            bias_size=layer.out_channels if layer.bias else None,
            products=layer.products_per_output(self.input_size),
            dtype=self.dtype,
            kind=self.values,
            seed=self.seed,
        )

    def cotangent(self, layer: Layer | None = None) -> Floats:
        """The cotangent ``(N, C_out, *m)`` with which gradients are asked, read-only; of ``values`` like the arrays.

        Raises:
            InvalidField: a spelled case without the layer that its spelling resolves to.
        """
        layer = self._asked(layer)
        shape = (self.batch, layer.out_channels, *layer.output_size(self.input_size))
        largest = self._largest_cotangent(layer)
        return draw_cotangent(shape, largest=largest, dtype=self.dtype, kind=self.values, seed=self.seed)

    def has_exact_gradients(self, layer: Layer | None = None) -> bool:
        """Whether the vector-Jacobian products with ``cotangent`` are exact in this dtype, in whatever order."""
        return self.values == "integers" and self._largest_cotangent(self._asked(layer)) > 0

    def replace(self, **changes: Any) -> Case:
        """The case with some fields changed, validated again."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return Case(**{**values, **changes})

    def to_json(self) -> dict[str, Any]:
        """Plain data with the schema version inside."""
        return {
            "schema": SCHEMA,
            "layer": self.layer.to_json() if self.layer else None,
            "spelling": self.spelling.to_json() if self.spelling else None,
            "batch": self.batch,
            "input_size": list(self.input_size),
            "dtype": self.dtype,
            "values": self.values,
            "seed": self.seed,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | str) -> Case:
        """Read ``to_json``'s form, as an object or as text.

        Raises:
            InvalidField: not JSON, another schema, an unknown or missing field, a value that breaks a rule.
        """
        if isinstance(data, str):
            data = _parse(data)
        # The schema first: another one may have other fields.
        if isinstance(data, Mapping) and "schema" in data and data["schema"] != SCHEMA:
            raise InvalidField("schema", data["schema"], f"this version reads schema {SCHEMA}")
        _check_keys("case", data, _CASE_FIELDS, required=_CASE_REQUIRED)
        layer, spelling = data.get("layer"), data.get("spelling")
        return cls(
            None if layer is None else Layer.from_json(layer),
            spelling=None if spelling is None else Spelling.from_json(spelling),
            **{name: data[name] for name in _RECIPE if name in data},
        )

    def _asked(self, layer: Layer | None) -> Layer:
        if (asked := layer or self.layer) is None:
            raise InvalidField("layer", None, "a spelled case needs the layer that its spelling resolves to")
        return asked

    def _largest_cotangent(self, layer: Layer) -> int:
        magnitude = largest_magnitude(layer.products_per_output(self.input_size), self.dtype)
        if not magnitude:
            return 0
        products = layer.products_per_gradient(self.input_size, batch=self.batch)
        return largest_cotangent(products, magnitude, self.dtype)


def _parse(text: str) -> Mapping[str, Any]:
    try:
        return cast("Mapping[str, Any]", json.loads(text))
    except (ValueError, RecursionError) as error:
        raise InvalidField("case", text, f"is not JSON ({error})") from None


def _check_keys(name: str, data: object, known: frozenset[str], *, required: frozenset[str]) -> None:
    if not isinstance(data, Mapping):
        raise InvalidField(name, data, "must be a JSON object")
    if data.keys() == known:
        return
    if unknown := sorted(map(str, set(data) - known)):
        raise InvalidField(name, unknown[0], f"is not a field of a {name}: known are {', '.join(sorted(known))}")
    if missing := sorted(required - set(data)):
        raise InvalidField(missing[0], None, f"is missing from the {name}")


def _ndim(name: str, per_axis: Sequence[Any], ndim: int | None) -> int:
    """The number of axes that the values agree on; ``name`` is the first one's."""
    first = per_axis[0]
    if ndim is None and type(first) is tuple and 1 <= len(first) <= MAX_NDIM:
        return len(first)
    if ndim is None:
        lengths = (len(value) for value in per_axis if _is_sequence(value))
        if (ndim := next(lengths, None)) is None:
            rule = "an integer stands for every axis: say how many with ndim= or write a tuple"
            raise InvalidField(name, first, rule)
    count = _integer("ndim", ndim, 1)
    if count > MAX_NDIM:
        raise InvalidField("ndim", count, f"must be 1 to {MAX_NDIM}")
    return count


def _axes(name: str, value: Any, ndim: int, least: int) -> tuple[int, ...]:
    entries = value if type(value) is tuple else _entries(value, ndim)
    if len(entries) != ndim:
        raise InvalidField(name, value, f"must have {ndim} entries, one per spatial axis")
    for entry in entries:
        if type(entry) is not int or not least <= entry < _BEYOND:
            return tuple([_integer(name, entry, least, whole=value) for entry in entries])
    return entries


def _entries(value: Any, ndim: int) -> tuple[Any, ...]:
    return tuple(value) if _is_sequence(value) else (value,) * ndim


def _is_sequence(value: object) -> bool:
    return isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim == 1)


def _integer(name: str, value: object, least: int, *, whole: object = None) -> int:
    if type(value) is int and least <= value < _BEYOND:
        return value  # nearly always: campaigns check millions of these
    shown = value if whole is None else whole
    if isinstance(value, (bool, np.bool_)):
        raise InvalidField(name, shown, "must be an integer, not a flag")
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # anything else raises, which is the check
    except TypeError:
        raise InvalidField(name, shown, "must be an integer") from None
    if abs(number) >= _BEYOND and name != "seed":
        raise InvalidField(name, shown, "must be below 2**31 in magnitude")
    if number < least:
        raise InvalidField(name, shown, f"must be at least {least}")
    return number


def _choice(name: str, value: str, choices: Iterable[str]) -> str:
    if value not in tuple(choices):
        raise InvalidField(name, value, f"must be one of {', '.join(choices)}")
    return value


def _argument(name: str, value: object) -> Argument:
    if type(value) is int or value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (list, tuple)):
        return tuple([entry if type(entry) is int else _argument(name, entry) for entry in value])
    try:
        return operator.index(value)  # type: ignore[arg-type]  # anything else raises, which is the check
    except TypeError:
        raise InvalidField(name, value, "an argument is an integer, a flag, a text, None or a list of these") from None


def _plain(value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    return [_plain(entry) if isinstance(entry, tuple) else entry for entry in value]
