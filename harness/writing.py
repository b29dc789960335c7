"""How a standalone script writes one API's call: text that is shown and run elsewhere, never executed here.

An API's ``script`` gives its ``Lines``; what is asserted of them is the composer's. Nothing here imports a framework,
and ``harness/frameworks`` stands above: this floor knows of a mode only what it writes down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.layer import Case, Crop, Layer, Spelling


class Way(Protocol):
    """What a script must know of a mode."""

    @property
    def name(self) -> str:
        """What the class is told by ``mode``."""

    @property
    def abstract(self) -> bool:
        """Whether y is a shape."""

    @property
    def gradient(self) -> bool:
        """Whether the vector-Jacobian products are asked for."""


@dataclass(frozen=True, slots=True)
class Signature:
    """How people write a call of an API, beside the names of its parameters.

    ``names`` are the callable's, each with the number of spatial axes that it says. ``positional`` are the arguments
    in their order, of which ``arrays`` are no words; ``weight`` is the one whose shape tells the channels and the
    kernel. ``beside`` are arguments that are no part of the operator, with the values that leave it as it is; none
    stand for any. ``after`` are arguments for what is done with the output: they stand outside of the operator.
    """

    names: Mapping[str, int | None]
    positional: tuple[str, ...]
    arrays: tuple[str, ...] = ()
    weight: str | None = None
    beside: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lines:
    """The Python text of one call in one mode, in the API's native layout.

    ``imports`` stand first, with the environment that must be set before them. ``array`` is a template for a literal,
    ``filled`` one for "zeros" or "ones" and a shape. ``call`` makes y of x, weight and bias; in a gradient mode dx,
    dweight and dbias (where the call has a bias) of these and cotangent; in an abstract mode y of shapes alone.

    The others are templates for an array's name: its ``shape`` as a list, its ``dtype`` as text, and ``host``, which
    has ``tolist()`` and ``ravel()``. ``extended`` is y with zeros around it: {pairs} has (begin, end) for each axis,
    {ends} the same numbers flat, the last axis first. ``sized`` is the part of the call that says the output's shape.
    """

    imports: tuple[str, ...]
    array: str
    filled: str
    call: tuple[str, ...]
    shape: str = "list({}.shape)"
    dtype: str = "str({}.dtype)"
    host: str = "{}"
    extended: str = ""
    sized: str = ""
    channels_last: bool = True

    def order(self, batch: int, channels: int, size: tuple[int, ...]) -> list[int]:
        """A canonical shape (N, C, *size) in the API's layout."""
        return [batch, *size, channels] if self.channels_last else [batch, channels, *size]

    def written(self, array: NDArray[Any]) -> str:
        """The expression for an array; an empty one has a shape that no literal says."""
        if array.size == 0:
            return self.filled.format("zeros", list(array.shape))
        return self.array.format(literal(array))

    def cropped(self, crop: Sequence[Crop]) -> list[str]:
        """The lines that extend y with zeros, then cut it.

        >>> Lines((), "", "", (), extended="tf.pad(y, {pairs})").cropped([Crop(1, -2)])
        ['y = tf.pad(y, [(0, 0), (0, 2), (0, 0)])', 'y = y[:, 1:]']
        """
        widths = [(max(-lo, 0), max(-hi, 0)) for lo, hi in crop]
        cuts = [f"{lo if lo > 0 else ''}:{-hi if hi > 0 else ''}" for lo, hi in crop]
        lines = []
        if any(map(any, widths)):
            pairs = [(0, 0), *widths, (0, 0)] if self.channels_last else [(0, 0), (0, 0), *widths]
            ends = [end for pair in reversed(widths) for end in pair]
            lines.append(f"y = {self.extended.format(pairs=pairs, ends=ends)}")
        if set(cuts) != {":"}:
            lines.append(f"y = y[{', '.join([':', *cuts] if self.channels_last else [':', ':', *cuts])}]")
        return lines

    def biased(self, ndim: int) -> str:
        """The line that adds the bias to y."""
        return "y = y + bias" if self.channels_last else f"y = y + bias.reshape{(-1, *[1] * ndim)}"


def environment(variables: Mapping[str, str]) -> tuple[str, ...]:
    """The lines that set what a framework reads when it is imported.

    >>> environment({"KERAS_BACKEND": "jax"})
    ('import os', "os.environ.update(KERAS_BACKEND='jax')")
    """
    return ("import os", f"os.environ.update({keywords(variables)})") if variables else ()


def keywords(arguments: Mapping[str, Any]) -> str:
    """Arguments as they are written in a call.

    >>> keywords({"padding": "same", "strides": (2,)})
    "padding='same', strides=(2,)"
    """
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


def literal(array: NDArray[Any]) -> str:
    """The array as nested lists of the shortest numbers that its dtype reads back; NaN and infinity as names.

    >>> literal(np.array([[1.0, -0.0], [np.nan, 0.1]], dtype=np.float32))
    '[[1, -0.0], [nan, 0.1]]'
    """
    if array.ndim == 0:
        return _number(array[()])
    return "[" + ", ".join(map(literal, array)) + "]"


def one_line(text: str) -> str:
    r"""What a framework or a file said is hostile: nothing of it may end the line or steer a terminal.

    >>> one_line("a\n\x1b[31m b")
    'a [31m b'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _number(value: Any) -> str:
    number = float(value)
    if number.is_integer() and abs(number) < 2**53 and (number or not np.signbit(number)):
        return str(int(number))
    shortest = str(value)
    reads_back = np.isnan(number) or type(value)(float(shortest)) == value
    return shortest if reads_back else repr(number)


def asked_of_class(location: str, case: Case, asked: Layer | Spelling, mode: Way, *, bias: bool) -> Lines:
    """The call of a third party's class at ``package.module:Class``, canonical arrays in and out.

    A layer is asked of ``run``, a spelling of ``apply`` with the weight in the class's own layout.

    >>> from harness.frameworks.base import Mode
    >>> case = Case(Layer(kernel_size=2, bias=False, ndim=1), input_size=3)
    >>> asked_of_class("mine:Mine", case, case.layer, Mode("default"), bias=False).call[:2]
    ('target = Mine()', 'target.load()')
    """
    module, _, name = location.partition(":")
    words = _words(asked)
    settings = {"mode": mode.name, "dtype": case.dtype}
    changed = {key: value for key, value in settings.items() if value not in ("default", "float32")}
    start = [f"target = {name}()"]
    if changed:
        names = ", ".join(f"target.{key}" for key in changed)
        start.append(f"{names} = {', '.join(map(repr, changed.values()))}")
    storage = "float32" if case.dtype == "bfloat16" else case.dtype
    concrete = not (mode.abstract or mode.gradient)
    return Lines(
        imports=("import numpy", f"from harness import {type(asked).__name__}", f"from {module} import {name}"),
        array=f"numpy.array({{}}, dtype={storage!r})",
        filled=f"numpy.{{}}({{}}, dtype={storage!r})",
        call=(*start, "target.load()", *_asked(case, asked, words, mode, bias=bias)),
        shape="list({})" if mode.abstract else "list({}.shape)",
        dtype="str(getattr(answer, 'dtype', type(answer).__name__))" if concrete else "str({}.dtype)",
        host="{}" if concrete else "numpy.asarray(getattr({0}, 'values', {0}))",
        extended="numpy.pad(y, {pairs})",
        channels_last=False,
    )


def _asked(case: Case, asked: Layer | Spelling, words: str, mode: Way, *, bias: bool) -> tuple[str, ...]:
    given = f"x, weight, {'bias' if bias else 'None'}, {words}"
    if mode.abstract:
        return (f"y = target.abstract({case.batch}, {case.input_size}, {words})",)
    if mode.gradient:
        return (f"dx, dweight, dbias = target.vjp({given}, cotangent)",)
    method = "run" if isinstance(asked, Layer) else "apply"
    return (
        f"answer = target.{method}({given})",
        "y = numpy.asarray(getattr(answer, 'values', answer)).astype(float)",
    )


def _words(asked: Layer | Spelling) -> str:
    if isinstance(asked, Spelling):
        return f"Spelling({asked.api!r}, {dict(asked.arguments)!r})"
    return f"Layer({keywords(asked.to_json())})"
