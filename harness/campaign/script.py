"""A finding as a standalone script: literal inputs, one call, an assertion, and nothing of ours.

It fails by AssertionError while the finding is there and passes when it is mended; only where the process itself ends,
it ends as the finding did. A third party's class is asked through deconvdiff, which such a script needs.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import inf, isinf, isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import reference
from harness.frameworks.base import Api, Mode, Role, channels_last, crop_output
from harness.judge.oracles import GRADIENT_SHAPE
from harness.judge.sentence import sentence
from harness.layer import Case, Crop, Layer
from harness.records import Disagreement, FirstDifference, Kind, Resolved, Size
from harness.writing import Lines, asked_of_class, literal, one_line

#: lines that no script exceeds
LONGEST = 25

_WIDTH, _SENTENCE_LINES, _CLIPPED = 116, 3, 500


def script(case: Case, disagreement: Disagreement, api: Api | None, *, mode: Mode, version: str | None) -> str:
    """The text of a script of at most 25 lines that fails by assertion while the disagreement is there.

    ``api`` is None for a third party's class, which ``disagreement.asked.target.api`` then locates. Arrays stand in it
    whole, one on a line: it is for minimal cases.

    Raises:
        ValueError: the disagreement is about numbers and does not say where they first differ.

    >>> from harness.frameworks.torch import ConvTranspose
    >>> from harness.records import Asked, Observation, Oracle, Outcome, Target
    >>> api, case = ConvTranspose(), Case(Layer(kernel_size=2, bias=False, ndim=1), input_size=3)
    >>> asked = Asked(Target(api.name, "eager"), "ConvTranspose1d(...)(x)", api.express(case.layer, case.input_size))
    >>> seen = Observation(asked.target.name, Outcome.OK, shape=(1, 1, 5), dtype="float32")
    >>> found = Disagreement(Oracle.AGREEMENT, Kind.SIZE, asked, seen, expected_size=(4,))
    >>> print(script(case, found, api, mode=api.modes[0], version="2.13.0").splitlines()[-1])
    assert list(y.shape) == [1, 1, 4], f'shape {list(y.shape)}'
    """
    text = _Text(case, disagreement, api, mode)
    body = _BODIES[disagreement.kind](text)
    code = [*text.lines.imports, *_names(body), *body]
    return "\n".join([*_comment(text, version, LONGEST - len(code)), *code]) + "\n"


class _Text:
    """What a script has to say of one disagreement, in the layout and the words of one mode of its API."""

    def __init__(self, case: Case, disagreement: Disagreement, api: Api | None, mode: Mode) -> None:
        answer, expression = disagreement.asked.answer, disagreement.asked.expression
        self.case, self.disagreement, self.api, self.mode = case, disagreement, api, mode
        self.layer = case.layer or (answer.layer if isinstance(answer, Resolved) else None)
        own_run = api is not None and type(api).run is not Api.run and not mode.abstract
        self._words = None if api is None or own_run else expression.spelling
        # Where the class itself is asked for the layer, nothing is left to crop.
        self._crop = expression.crop if self._words else (Crop(0, 0),) * case.ndim
        bias = self.layer is not None and self.layer.bias
        self._late = bias and self._is_late()
        self.lines = self._lines(bias=bias and not self._late)

    def _is_late(self) -> bool:
        """Whether the bias is added after the call: after an extension, or where there is no word for it."""
        if self.api is None or self._words is None:
            return False
        return any(end < 0 for crop in self._crop for end in crop) or not self.api.bears_bias(self._words)

    def _lines(self, *, bias: bool) -> Lines:
        if self.api is not None and self._words is not None:
            return self.api.script(self.case, self._words, self.mode, bias=bias)
        kind = type(self.api)
        location = f"{kind.__module__}:{kind.__name__}" if self.api else self.disagreement.asked.target.api
        return asked_of_class(location, self.case, self.meaning, self.mode, bias=bias)

    @property
    def meaning(self) -> Layer:
        """The layer that is asked.

        Raises:
            ValueError: the documentation gives the call no meaning.
        """
        if self.layer is None:
            raise ValueError(f"{self.disagreement.asked.call} means no layer")
        return self.layer

    @property
    def first_difference(self) -> FirstDifference:
        """Where the numbers first differ.

        Raises:
            ValueError: the disagreement does not say.
        """
        if self.disagreement.first_difference is None:
            raise ValueError(f"where the numbers of {self.disagreement.asked.target.name} first differ is not said")
        return self.disagreement.first_difference

    @property
    def shape(self) -> str:
        """The expression for y's shape."""
        return self.lines.shape.format("y")

    @property
    def results(self) -> list[str]:
        """The names of what the call gives."""
        if not self.mode.gradient:
            return ["y"]
        return ["dx", "dweight", "dbias"] if self.meaning.bias and not self._late else ["dx", "dweight"]

    def host(self, name: str) -> str:
        """The expression for an array that has ``tolist()`` and ``ravel()``."""
        return self.lines.host.format(name)

    def concrete(self) -> _Text:
        """The same in the first mode of the API that runs it."""
        modes = (Mode("default"),) if self.api is None else self.api.all_modes()
        mode = next(mode for mode in modes if not (mode.abstract or mode.gradient))
        return _Text(self.case, self.disagreement, self.api, mode)

    def native(self, array: NDArray[Any]) -> NDArray[Any]:
        """x, y or a cotangent in the API's layout."""
        return channels_last(array) if self.lines.channels_last else array

    def native_weight(self, weight: NDArray[Any]) -> NDArray[Any]:
        """The weight, or its gradient, in the API's layout."""
        return weight if self.api is None or self._words is None else self.api.native_weight(weight, self._words)

    def arrays(self) -> list[str]:
        """The lines of the inputs; an abstract mode has none."""
        if self.mode.abstract:
            return []
        if self.layer is None:
            return self.ones()
        return [f"{name} = {self.lines.written(array)}" for name, array in self._inputs(self.layer).items()]

    def ones(self) -> list[str]:
        """Inputs of the call alone, where their numbers do not matter or the call has no meaning."""
        if self.layer is None:
            shapes = self._asked_shapes()
        else:
            shapes = {name: list(array.shape) for name, array in self._inputs(self.layer).items()}
        given = [name for name in shapes if not (name == "bias" and self._late)]
        return [f"{name} = {self.lines.filled.format('ones', shapes[name])}" for name in given]

    def _inputs(self, layer: Layer) -> dict[str, NDArray[Any]]:
        """The arrays as the API takes them; a bias that is added after the call is no input of its gradient."""
        x, weight, bias = self.case.arrays(layer)
        arrays = {"x": self.native(x), "weight": self.native_weight(weight)}
        if bias is not None and not (self._late and self.mode.gradient):
            arrays["bias"] = bias
        if self.mode.gradient:
            uncropped = tuple(Crop(-lo, -hi) for lo, hi in self._crop)
            arrays["cotangent"] = self.native(crop_output(self.case.cotangent(layer), uncropped))
        return arrays

    def _asked_shapes(self) -> dict[str, list[int]]:
        """The shapes that a call without meaning asks for; negative extents count as none."""
        if self.api is None or self._words is None:
            raise ValueError("a layer always has a meaning")
        inputs = self.api.role(self._words, Role.IN_CHANNELS, 1)
        return {
            "x": self.lines.order(self.case.batch, max(inputs, 0), self.case.input_size),
            "weight": [max(extent, 0) for extent in self.api.native_weight_shape(self._words, self.case.ndim)],
        }

    def called(self) -> list[str]:
        """The call, and what our code does with its output: crop or extension, then a bias that is left over."""
        if self.mode.abstract or self.mode.gradient:
            return list(self.lines.call)
        bias = [self.lines.biased(len(self._crop))] if self._late else []
        return [*self.lines.call, *self.lines.cropped(self._crop), *bias]

    def uncropped(self, size: Size) -> Size:
        """The size of an abstract mode's output, from which nothing is cut in the script."""
        if not self.mode.abstract:
            return size
        return tuple(m + lo + hi for m, (lo, hi) in zip(size, self._crop, strict=True))


def _size(text: _Text) -> list[str]:
    size = text.uncropped(text.disagreement.expected_size or text.meaning.output_size(text.case.input_size))
    shape = text.lines.order(text.case.batch, text.meaning.out_channels, size)
    return [*text.arrays(), *text.called(), _same_shape(text, shape)]


def _same_shape(text: _Text, expected: list[int]) -> str:
    return f"assert {text.shape} == {expected}, f'shape {{{text.shape}}}'"


def _value(text: _Text) -> list[str]:
    case, layer = text.case, text.meaning
    arrays = case.arrays(layer)
    start = [*text.arrays(), *text.called()]
    if case.values == "special":
        return [*start, *_special(text, text.first_difference)]
    expected = text.native(reference.conv_transpose(*arrays, layer))
    start.append(_same_shape(text, list(expected.shape)))
    if case.values == "integers":
        return [*start, *_equal(text, "y", expected)]
    bound = reference.error_bound(*arrays, layer, case.dtype)
    return [*start, *_within(text, "y", expected, None if bound is None else text.native(bound))]


def _gradient(text: _Text) -> list[str]:
    """Of the three, the one that the disagreement is about; all shapes, if it is about them."""
    if text.disagreement.cause == GRADIENT_SHAPE:
        return [*text.arrays(), *text.called(), _gradient_shapes(text)]
    case, layer, name = text.case, text.meaning, text.first_difference.array
    asked = (*case.arrays(layer), layer, case.cotangent(layer))
    place = ["dx", "dweight", "dbias"].index(name)
    own = {"dx": text.native, "dweight": text.native_weight}.get(name, np.asarray)
    start = [*text.arrays(), *text.called()]
    expected, bound = reference.vjp(*asked)[place], reference.gradient_bounds(*asked, case.dtype)[place]
    if expected is None:
        raise ValueError(f"there is no {name}")
    if case.has_exact_gradients(layer):
        return [*start, *_equal(text, name, own(expected))]
    return [*start, *_within(text, name, own(expected), None if bound is None else own(bound))]


def _gradient_shapes(text: _Text) -> str:
    x, weight, bias = text.case.arrays(text.meaning)
    right = {"dx": text.native(x), "dweight": text.native_weight(weight), "dbias": bias}
    shapes = [list(array.shape) for name in text.results if (array := right[name]) is not None]
    seen = ", ".join(text.lines.shape.format(name) for name in text.results)
    return f"assert [{seen}] == {shapes}, f'shapes {{[{seen}]}}'"


def _equal(text: _Text, name: str, expected: NDArray[Any]) -> list[str]:
    seen = f"{text.host(name)}.tolist()"
    return [f"expected = {literal(expected)}", f'assert {seen} == expected, f"{name} is {{{seen}}}"']


def _within(text: _Text, name: str, expected: NDArray[Any], bound: NDArray[Any] | None) -> list[str]:
    """Element by element; an infinite bound is none."""
    bound = np.full(expected.shape, inf) if bound is None else bound
    fits = "a == b or abs(a - b) <= most" + (" or most == inf" if np.isinf(bound).any() else "")
    return [
        f"expected = {literal(expected.ravel())}",
        f"bounds = {literal(bound.ravel())}",
        f"compared = zip({text.host(name)}.ravel().tolist(), expected, bounds)",
        f"wrong = [(a, b, most) for a, b, most in compared if not ({fits})]",
        "assert not wrong, f'{len(wrong)} out of bounds, the first (observed, expected, bound) is {wrong[0]}'",
    ]


def _special(text: _Text, first: FirstDifference) -> list[str]:
    """The first differing element alone: it is NaN where it must be, may be where zero-insertion makes it so."""
    arrays = text.case.arrays(text.meaning)
    n, c, *place = first.index
    index = [n, *place, c] if text.lines.channels_last else [n, c, *place]
    with np.errstate(invalid="ignore"):
        may_be_nan = isnan(reference.zero_insertion(*arrays, text.meaning)[first.index])
    tests = ["seen != seen"] if may_be_nan else []
    if not isnan(first.expected):
        due = literal(np.array(first.expected))
        slack = "" if isinf(first.expected) else f" or abs(seen - {due}) <= {_slack(text)!r}"
        tests.insert(0, f"seen == {due}{slack}")
    return [
        f"seen = {text.host('y')}.tolist(){''.join(f'[{i}]' for i in index)}",
        f"assert {' or '.join(tests)}, f'element {index} is {{seen}}'",
    ]


def _slack(text: _Text) -> float:
    """How much flushed subnormals can matter: each product at most its largest factor times the smallest normal."""
    x, weight, _ = text.case.arrays(text.meaning)
    finite = max(float(np.abs(a[np.isfinite(a)]).max(initial=1.0)) for a in (x, weight))
    products = text.meaning.products_per_output(text.case.input_size)
    return 2 * (products + 2) * finite * float(reference.SMALLEST_NORMAL[text.case.dtype])


def _dtype(text: _Text) -> list[str]:
    seen = text.lines.dtype.format(text.results[0])
    return [*text.arrays(), *text.called(), f"assert {seen} == {text.case.dtype!r}, {seen}"]


def _rejection(text: _Text) -> list[str]:
    caught = ["except Exception as error:", "    raise AssertionError(f'raises {type(error).__name__}') from error"]
    return [*text.arrays(), "try:", *_indented(text.called()), *caught]


def _acceptance(text: _Text) -> list[str]:
    """A rejection mends it; where only the size is wrong, so does a size of the forward rule."""
    answer, rule = text.disagreement.asked.answer, text.disagreement.rule
    said = f": {textwrap.shorten(rule.text, 140, placeholder=' ...')}" if rule else ""
    seen = f"f'shape {{{text.shape}}}, '"
    start = [*text.arrays(), "try:", *_indented(text.called()), "except Exception:", "    y = None"]
    if not isinstance(answer, Resolved) or answer.forward is None:
        return [*start, f"assert y is None, {seen} {f'contrary to the documentation{said}'!r}"]
    valid = answer.forward.valid_output_sizes(answer.layer, text.case.input_size)
    axes = "[1:-1]" if text.lines.channels_last else "[2:]"
    fits = f"all(m in sizes for m, sizes in zip({text.shape}{axes}, valid))"
    message = f"from which the forward convolution does not lead back{said}"
    return [*start, f"valid = {[list(sizes) for sizes in valid]}", f"assert y is None or {fits}, {seen} {message!r}"]


def _shape_inference(text: _Text) -> list[str]:
    """The inferred shape and the real one, before any crop, either of which may be an exception."""
    concrete = text.concrete()
    return [
        *concrete.ones(),
        *_tried("returned", concrete),
        *_tried("inferred", text),
        "assert inferred == returned, f'shape inference: {inferred}, the call: {returned}'",
    ]


def _tried(name: str, text: _Text) -> list[str]:
    shape = [*text.lines.call, f"{name} = {text.shape}"]
    return ["try:", *_indented(shape), "except Exception:", f"    {name} = 'an exception'"]


def _end(text: _Text) -> list[str]:
    """The call alone, to its numbers."""
    ended = f"# What was observed here: {one_line(text.disagreement.observation.exit or 'the process ended')}."
    numbers = [] if text.mode.abstract else [f"{text.host(text.results[0])}.tolist()"]
    return [*text.arrays(), ended, *text.called(), *numbers]


def _nondeterminism(text: _Text) -> list[str]:
    numbers = ", ".join(f"{text.host(name)}.tolist()" for name in text.results)
    kept = f"runs.append(repr([{numbers}]))" if text.case.values == "special" else f"runs.append([{numbers}])"
    twice = ["runs = []", "for _ in range(2):", *_indented([*text.called(), kept])]
    return [*text.arrays(), *twice, "assert runs[0] == runs[1], 'other numbers the second time'"]


_BODIES: dict[Kind, Callable[[_Text], list[str]]] = {
    Kind.SIZE: _size,
    Kind.VALUE: _value,
    Kind.GRADIENT: _gradient,
    Kind.DTYPE: _dtype,
    Kind.REJECTION: _rejection,
    Kind.ACCEPTANCE: _acceptance,
    Kind.SHAPE_INFERENCE: _shape_inference,
    Kind.CRASH: _end,
    Kind.HANG: _end,
    Kind.MEMORY: _rejection,
    Kind.NONDETERMINISM: _nondeterminism,
}


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _names(body: Iterable[str]) -> list[str]:
    """The names that literals of NaN and infinity need."""
    used = {node.id for node in ast.walk(ast.parse("\n".join(body))) if isinstance(node, ast.Name)}
    return ["nan, inf = float('nan'), float('inf')"] if used & {"nan", "inf"} else []


def _comment(text: _Text, version: str | None, room: int) -> list[str]:
    """The sentence, without the call that the script itself shows where it is too long, and where it was observed."""
    asked, shown = text.disagreement.asked, min(_SENTENCE_LINES, room - 1)
    full, short = (
        one_line(sentence(text.case, replace(text.disagreement, asked=replace(asked, call=call)), ()))
        for call in (asked.call, "This call")
    )
    said = full if len(textwrap.wrap(full, _WIDTH)) <= shown else short
    wrapped = textwrap.wrap(said, _WIDTH, max_lines=shown, placeholder=" ...") if shown > 0 else []
    name = text.disagreement.asked.target.api if text.api is None else text.api.framework or text.api.name
    return [f"# {line}" for line in (*wrapped, f"Observed on {name} {version or '(version unknown)'}.")]
