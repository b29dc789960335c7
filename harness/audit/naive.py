"""The naive port: the words copied from one API to another, as a person does who takes each for what it is called.

It is derived from the two vocabularies: a word goes to the word of the same role, with its value where the other side
takes such a value; weights are only put in the other side's order of axes. What has no such word is left out. The few
habits that no vocabulary says stand in ``HABITS``, each with its source.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.frameworks.base import Absent, Api, Domain, Integers, Pairs, Parameter, Role, Words, admits, per_axis
from harness.layer import Case, Layer, Spelling
from harness.layout import CANONICAL, convert
from harness.records import Illegal, Resolved, Rule, Size, Unspecified

#: how padding is read on a side that has only words, and words on a side that has only numbers
WORDS_FOR_NUMBERS = Rule(
    'no padding is taken for valid ("no padding"), any for same ("padding evenly" on both sides)',
    "https://keras.io/api/layers/convolution_layers/convolution2d_transpose/",
)
NUMBERS_FOR_WORDS = Rule(
    "SAME is taken for padding = (kernel_size - 1) / 2 with output_padding = stride - 1, VALID for padding = 0",
    "https://blog.csdn.net/langtaosha1996/article/details/106847003",
)


class Taken(str, Enum):
    """What the target makes of a copied call, by its documentation."""

    YES = "yes"
    REFUSED = "refused"
    UNSAID = "unsaid"
    UNWORDED = "unworded"


class Part(str, Enum):
    """What must be right about a port; sizes, kernels and crops are compared where the call is taken."""

    TAKEN = "taken"
    SIZE = "size"
    KERNEL = "kernel"
    CROP = "crop"


@dataclass(frozen=True, slots=True)
class NaivePort:
    """A copied call, and what the documentation of both sides says comes of it.

    ``spelling`` is None where a word without which there is no call cannot be copied (``taken`` is UNWORDED).
    ``layer`` is what the target makes of it where it is taken. ``faults`` are the parts that are wrong, each with the
    reason, the most telling first; ``habits`` are those that were followed.
    """

    spelling: Spelling | None
    taken: Taken
    faults: tuple[tuple[Part, str], ...]
    layer: Layer | None = None
    habits: tuple[Rule, ...] = ()

    def is_right(self, part: Part) -> bool:
        """Whether a part is as it should be; of a call that is not taken, none is."""
        return self.taken is Taken.YES and all(wrong is not part for wrong, _ in self.faults)

    @property
    def size_equal(self) -> bool:
        """Whether the output has the source's size."""
        return self.is_right(Part.SIZE)

    @property
    def value_equal(self) -> bool:
        """Whether the values are the source's."""
        return self.taken is Taken.YES and not self.faults

    @property
    def reason(self) -> str | None:
        """The first thing that goes wrong."""
        return next((reason for _, reason in self.faults), None)


def naive_port(source: Api, spelling: Spelling, target: Api, input_size: Size) -> NaivePort:
    """Copy a call to another API, and predict what comes of it there.

    >>> from harness.frameworks.torch import ConvTranspose
    >>> from harness.frameworks.keras import ConvTranspose as Keras
    >>> words = {"in_channels": 1, "out_channels": 1, "kernel_size": 4, "stride": 2, "padding": 1, "bias": False}
    >>> port = naive_port(ConvTranspose(), Spelling("torch.nn.ConvTranspose", words), Keras(), (3,))
    >>> port.spelling["padding"], port.size_equal, port.value_equal
    ('same', True, True)
    """
    wanted = source.resolve(spelling, input_size)
    if not isinstance(wanted, Resolved):
        return _untaken(None, Taken.UNWORDED, f"{source.name} itself gives it no meaning", [])
    habits: list[Rule] = []
    copied: dict[str, Any] = {}
    for parameter in target.parameters:
        value = _copied(_Copy(source, spelling, wanted, target, parameter, input_size, habits))
        if value is not _LEFT_OUT:
            copied[parameter.name] = value
        elif not any(isinstance(domain, Absent) for domain in parameter.domains):
            reason = f"no word says what {parameter.name} should be"
            return _untaken(None, Taken.UNWORDED, reason, habits)
    port = Spelling(target.name, copied)
    answer = _answer(target, port, input_size)
    if not isinstance(answer, Layer):
        return _untaken(port, *answer, habits)
    return _compared(_Copied(source, spelling, wanted.layer, target, port, answer, input_size), tuple(habits))


def _untaken(spelling: Spelling | None, taken: Taken, reason: str, habits: Sequence[Rule]) -> NaivePort:
    return NaivePort(spelling, taken, ((Part.TAKEN, reason),), habits=tuple(habits))


_LEFT_OUT = object()


@dataclass(frozen=True, slots=True)
class _Copy:
    """One word of the target, and where its value may come from."""

    source: Api
    spelling: Spelling
    wanted: Resolved
    target: Api
    parameter: Parameter
    input_size: Size
    habits: list[Rule]

    @property
    def ndim(self) -> int:
        return len(self.input_size)


def _copied(copy: _Copy) -> Any:
    """The value that is written for a word of the target."""
    role = copy.parameter.role
    own = next((one for one in copy.source.parameters if one.role is role), None)
    if role in (Role.ORIENTATION, Role.CONVENTION):
        same = own is not None and own.name == copy.parameter.name
        return copy.spelling.get(copy.parameter.name, _LEFT_OUT) if same else _LEFT_OUT
    if role is Role.OUTPUT_SIZE:
        return _output_size(copy, own)
    value = copy.spelling.get(own.name) if own is not None else None
    if value is None:
        value = _usual(copy, own)
    return _LEFT_OUT if value is None else _fitted(copy, value)


def _output_size(copy: _Copy, own: Parameter | None) -> Any:
    """The size that is named; where the target must be told one, the size that the source gives."""
    named = copy.spelling.get(own.name) if own is not None else None
    if named is not None:
        return named
    must = not any(isinstance(domain, Absent) for domain in copy.parameter.domains)
    return copy.wanted.layer.output_size(copy.input_size) if must else _LEFT_OUT


def _usual(copy: _Copy, own: Parameter | None) -> Any:
    """What is meant where a word is not written: the layer's own, for all but the crop, which has words of its own."""
    role, layer = copy.parameter.role, copy.wanted.layer
    if role is Role.PADDING:
        return _padding_that_is_left_out(own)
    if role is Role.OUTPUT_PADDING:
        return _added_for_a_word(copy)
    return getattr(layer, role.value)


def _added_for_a_word(copy: _Copy) -> Any:
    """The output padding that goes by habit with SAME, where the target has no such word."""
    takes_words = any(isinstance(domain, Words) for one in copy.target.parameters for domain in one.domains)
    padding = copy.source.role(copy.spelling, Role.PADDING)
    is_same = isinstance(padding, str) and padding.upper() == "SAME"
    return tuple(s - 1 for s in copy.wanted.layer.stride) if is_same and not takes_words else None


def _padding_that_is_left_out(own: Parameter | None) -> Any:
    """The default that the vocabulary declares: a number or a word."""
    meaning = next((one.meaning for one in own.domains if isinstance(one, Absent)), None) if own else None
    if meaning is None:
        return None
    return int(meaning) if meaning.isdigit() else meaning


def _fitted(copy: _Copy, value: Any) -> Any:
    """The value in the form that the target takes, or left out where it takes none like it."""
    if copy.parameter.role is Role.KERNEL_SIZE and not _says_ndim(copy.target):
        return per_axis(value, copy.ndim)
    form = _form(copy, value)
    if form is _LEFT_OUT and copy.parameter.role is Role.PADDING:
        return _by_habit(copy, value)
    return form


def _says_ndim(target: Api) -> bool:
    """Whether the call's name says the number of axes; otherwise the kernel is written with an entry for each."""
    return target.signature is not None and None not in target.signature.names.values()


def _form(copy: _Copy, value: Any) -> Any:
    for domain in copy.parameter.domains:
        for form in _forms(domain, value, copy.ndim):
            if admits(domain, form, copy.ndim):
                return form
    return _LEFT_OUT


def _forms(domain: Domain, value: Any, ndim: int) -> Iterator[Any]:
    """A value, and how it is written for a domain of another form: a number twice as a pair, a word in its case."""
    yield value
    if isinstance(domain, Pairs) and _is_numbers(value):
        yield tuple((end, end) for end in per_axis(value, ndim))
    if isinstance(domain, Words) and isinstance(value, str):
        yield from (value.upper(), value.lower())
    if isinstance(domain, Integers) and _is_pairs(value) and all(before == after for before, after in value):
        yield tuple(before for before, _ in value)


def _by_habit(copy: _Copy, value: Any) -> Any:
    words = next((domain for domain in copy.parameter.domains if isinstance(domain, Words)), None)
    if words is not None and not isinstance(value, str):
        copy.habits.append(WORDS_FOR_NUMBERS)
        word = "SAME" if np.any(np.array(value) > 0) else "VALID"
        return next(one for one in words.meanings if one.upper() == word)
    if isinstance(value, str) and value.upper() in ("SAME", "VALID"):
        copy.habits.append(NUMBERS_FOR_WORDS)
        kernel = copy.wanted.layer.kernel_size
        return _form(copy, tuple((k - 1) // 2 if value.upper() == "SAME" else 0 for k in kernel))
    return _LEFT_OUT


def _is_numbers(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, tuple) and all(isinstance(one, int) for one in value))


def _is_pairs(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(one, tuple) and len(one) == 2 for one in value)


def _answer(target: Api, port: Spelling, input_size: Size) -> Layer | tuple[Taken, str]:
    """What the target's documentation makes of the call, or why it makes nothing of it."""
    found = target.resolve(port, input_size)
    if isinstance(found, Illegal):
        return Taken.REFUSED, f"{target.name} forbids it: {found.rule.text}"
    if isinstance(found, Unspecified):
        return Taken.UNSAID, f"{target.name} gives it no meaning: {found.reason}"
    limit = target.limit(Case.spelled(port, input_size=input_size))
    return found.layer if limit is None else (Taken.UNSAID, f"{target.name} declares it beyond its limits: {limit}")


@dataclass(frozen=True, slots=True)
class _Copied:
    """A call that both sides give a meaning: the wanted layer, and the one that was found."""

    source: Api
    spelling: Spelling
    wanted: Layer
    target: Api
    port: Spelling
    found: Layer
    input_size: Size


def _compared(copied: _Copied, habits: tuple[Rule, ...]) -> NaivePort:
    """Whether size, kernel and crop are the source's."""
    wanted, found, port = copied.wanted, copied.found, copied.port
    if not _fits(copied):
        reason = "the weight has not the shape that is asked for: the groups divide the other channels"
        return _untaken(port, Taken.UNSAID, reason, habits)
    size, due = found.output_size(copied.input_size), wanted.output_size(copied.input_size)
    parts = (
        (Part.SIZE, None if size == due else f"output size {size}, not {due}"),
        (Part.KERNEL, _arguments_differ(copied) or _weights_differ(copied)),
        (Part.CROP, _crops_differ(wanted, found, size == due)),
    )
    faults = tuple((part, reason) for part, reason in parts if reason is not None)
    return NaivePort(port, Taken.YES, faults, found, habits)


def _fits(copied: _Copied) -> bool:
    shape = copied.source.native_weight_shape(copied.spelling, copied.wanted.ndim)
    permutation = _permutation(copied.source, copied.spelling, copied.target, copied.port, copied.wanted.ndim)
    asked = copied.target.native_weight_shape(copied.port, copied.wanted.ndim)
    return tuple(shape[axis] for axis in permutation) == asked


def _arguments_differ(copied: _Copied) -> str | None:
    fields = ("in_channels", "out_channels", "kernel_size", "stride", "dilation", "groups")
    lost = [name for name in fields if getattr(copied.wanted, name) != getattr(copied.found, name)]
    return f"{copied.target.name} takes another {lost[0]}" if lost else None


def _crops_differ(wanted: Layer, found: Layer, same_size: bool) -> str | None:
    if wanted.crops == found.crops:
        return None
    if not same_size:
        return f"crop {_shown(map(tuple, found.crops))}, not {_shown(map(tuple, wanted.crops))}"
    shifts = (have.lo - want.lo for have, want in zip(found.crops, wanted.crops, strict=True))
    return f"same size, values shifted by {_shown(shifts)}"


def _shown(values: Iterable[Any]) -> Any:
    """One value for one axis."""
    each = tuple(values)
    return each[0] if len(each) == 1 else each


def _weights_differ(copied: _Copied) -> str | None:
    source, spelling, target, port = copied.source, copied.spelling, copied.target, copied.port
    shape = copied.wanted.weight_shape
    weight = np.arange(np.prod(shape)).reshape(shape)
    native = convert(weight, CANONICAL, source.layout(spelling), groups=copied.wanted.groups)
    if np.array_equal(reordered(native, source, spelling, target, port), target.native_weight(weight, port)):
        return None
    flipped = source.layout(spelling).flipped != target.layout(port).flipped
    return "the kernel stands the other way round" if flipped else "the weight's channels are mixed up"


def reordered(native: NDArray[Any], source: Api, spelling: Spelling, target: Api, port: Spelling) -> NDArray[Any]:
    """The source's weight with its axes in the target's order, and nothing else done to it."""
    return np.transpose(native, _permutation(source, spelling, target, port, native.ndim - 2))


def _permutation(source: Api, spelling: Spelling, target: Api, port: Spelling, ndim: int) -> tuple[int, ...]:
    return source.layout(spelling).permutation(target.layout(port), ndim)
