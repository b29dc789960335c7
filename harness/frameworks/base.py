"""What every API is: the base class, its vocabulary as data, and how a case is put to it.

The rule: nothing here, and nothing at the top level of a framework's file, imports a framework. A framework is
imported inside ``load`` and the running methods, which only a worker calls. The pure half (vocabulary, ``resolve``,
``express``, ``limit``, ``snippet``) is called anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from operator import attrgetter
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.layer import Case, Crop, Layer, Spelling
from harness.layout import CANONICAL, Layout, convert
from harness.records import Expression, Illegal, Resolved, Rule, Size, Skipped, Unspecified
from harness.values import round_to_bfloat16
from harness.writing import Lines, Signature, asked_of_class

Array: TypeAlias = NDArray[Any]


class Declined(Exception):
    """Raised by ``apply`` where the loaded version documents that it cannot do this; observed as skipped."""


class Role(str, Enum):
    """The canonical meaning of an API's word: what a porter takes it for."""

    IN_CHANNELS = "in_channels"
    OUT_CHANNELS = "out_channels"
    KERNEL_SIZE = "kernel_size"
    STRIDE = "stride"
    PADDING = "padding"
    OUTPUT_PADDING = "output_padding"
    DILATION = "dilation"
    GROUPS = "groups"
    BIAS = "bias"
    OUTPUT_SIZE = "output_size"
    ORIENTATION = "orientation"
    CONVENTION = "convention"


@dataclass(frozen=True, slots=True)
class Integers:
    """An integer of at least ``least`` (None: any), one for each axis where ``per_axis``."""

    least: int | None
    per_axis: bool = True


@dataclass(frozen=True, slots=True)
class Pairs:
    """A (begin, end) pair of integers of at least ``least`` (None: any) for each axis."""

    least: int | None


@dataclass(frozen=True, slots=True)
class Words:
    """One of these texts; each word's meaning stands beside it."""

    meanings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Flag:
    """True or False."""


@dataclass(frozen=True, slots=True)
class Absent:
    """The argument may be left out (or None), with this meaning."""

    meaning: str


Domain: TypeAlias = "Integers | Pairs | Words | Flag | Absent"


def admits(domain: Domain, value: object, ndim: int) -> bool:
    """Whether a written value lies in a domain. An integer stands for every axis.

    >>> admits(Integers(1), (2, 3), 2), admits(Integers(1), 0, 2), admits(Pairs(0), ((0, 1),), 1)
    (True, False, True)
    """
    if isinstance(domain, Integers):  # before the rest, for nearly all are, and this is the hottest loop of all
        if not isinstance(value, tuple):
            return _is_integer(value, domain.least)
        return domain.per_axis and len(value) == ndim and _are_integers(value, domain.least)
    match domain:
        case Pairs(least):
            if not isinstance(value, tuple) or len(value) != ndim:
                return False
            pairs = [pair for pair in value if isinstance(pair, tuple) and len(pair) == 2]
            return len(pairs) == ndim and all(_are_integers(pair, least) for pair in pairs)
        case Words(meanings):
            return isinstance(value, str) and value in meanings
        case Flag():
            return isinstance(value, bool)
        case Absent():
            return value is None


def describe(domain: Domain) -> str:
    """The domain in words, for messages and documentation.

    >>> describe(Integers(1)), describe(Words({"SAME": "", "VALID": ""}))
    ('an integer of at least 1, or one for each spatial axis', "'SAME' or 'VALID'")
    """
    match domain:
        case Integers(least, per_axis):
            kind = "an integer" if least is None else f"an integer of at least {least}"
            return f"{kind}, or one for each spatial axis" if per_axis else kind
        case Pairs(least):
            return "(begin, end) pairs" + ("" if least is None else f" of integers of at least {least}")
        case Words(meanings):
            return " or ".join(map(repr, meanings))
        case Flag():
            return "True or False"
        case Absent():
            return "left out"


def per_axis(value: Any, ndim: int) -> tuple[int, ...]:
    """A written integer or tuple as one integer for each axis.

    >>> per_axis(2, 3), per_axis((1, 2), 2)
    ((2, 2, 2), (1, 2))
    """
    return value if isinstance(value, tuple) else (value,) * ndim


def _is_admitted(domains: tuple[Domain, ...], value: object, ndim: int) -> bool:
    for domain in domains:  # noqa: SIM110 # a generator takes as long as the rest
        if admits(domain, value, ndim):
            return True
    return False


def _are_integers(values: tuple[object, ...], least: int | None) -> bool:
    for value in values:  # noqa: SIM110 # likewise
        if not _is_integer(value, least):
            return False
    return True


def _is_integer(value: object, least: int | None) -> bool:
    is_integer = type(value) is int or (isinstance(value, int) and not isinstance(value, bool))
    return is_integer and (least is None or value >= least)  # type: ignore[operator]  # an integer, as was seen


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of an API: its name, what it canonically means, and the domains of its values.

    ``carried`` marks what the caller does not write as an argument but hands over in the shape of an array.
    """

    name: str
    role: Role
    domains: tuple[Domain, ...]
    carried: bool = False


@dataclass(frozen=True, slots=True)
class Mode:
    """One way of executing an API.

    ``abstract`` modes infer shapes only, ``gradient`` modes are asked for the vector-Jacobian products instead of the
    output. ``share`` modes are slow and asked of a share of the cases. ``environment`` is set before the worker starts;
    ``requires`` are the modules that must be importable besides the framework.
    ``how`` says it in the API's own words, to stand after a call in a sentence.
    """

    name: str
    how: str = ""
    abstract: bool = False
    gradient: bool = False
    share: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[str, ...] = ()


#: modes that a class has by defining ``vjp`` or ``abstract``, whether it declares them or not
IMPLIED = (
    Mode("abstract", "by shape inference", abstract=True),
    Mode("gradient", "under its own autodiff", gradient=True, share=True),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An output with the dtype that the framework gave it, where NumPy has no such dtype (bfloat16)."""

    values: Array
    dtype: str


#: the vector-Jacobian products with respect to x, weight and bias; None for a bias that there is not
Gradients: TypeAlias = "tuple[Array | Answer, Array | Answer, Array | Answer | None]"


@dataclass(frozen=True, slots=True)
class Call:
    """What ``apply`` gets and, with a cotangent of the call's output, ``vjp``: canonical x and bias, native weight."""

    x: Array
    weight: Array
    bias: Array | None
    spelling: Spelling
    dtype: str
    cotangent: Array | None = None


@dataclass(frozen=True, slots=True)
class ShapeCall:
    """One call as ``abstract`` gets it."""

    batch: int
    input_size: Size
    spelling: Spelling
    dtype: str


def as_answer(output: Any) -> Answer:
    """What a target returned, with its dtype; what is no array has its type's name.

    >>> as_answer(np.zeros(2, dtype=np.float32)).dtype, as_answer({}).dtype
    ('float32', 'dict')
    """
    if isinstance(output, Answer):
        return output
    dtype = str(getattr(output, "dtype", type(output).__name__))
    return Answer(np.asarray(output, dtype=np.float32) if dtype == "bfloat16" else output, dtype)


class Api:
    """One way a framework spells the operator.

    The least that a third party writes is ``name`` and ``run``. A full API adds a vocabulary: ``parameters``,
    ``resolve``, ``candidates``, ``widest``, ``layout`` and ``apply``; then ``run`` and
    ``express`` are derived. The worker makes one instance for each target and sets ``mode`` once and ``dtype`` before
    each call (bfloat16 arrays travel as float32).

    >>> class Mine(Api):
    ...     name = "mine"
    ...     def run(self, x, weight, bias, layer):
    ...         from harness import reference
    ...         return reference.conv_transpose(x, weight, bias, layer).astype(x.dtype)
    >>> Mine().limit(Case(Layer(kernel_size=2, padding=-1, ndim=1), input_size=3))
    'padding=(-1,) is negative'
    """

    name: ClassVar[str]
    framework: str | None = None
    distributions: ClassVar[tuple[str, ...]] = ()
    module: ClassVar[str | None] = None
    extra: ClassVar[str | None] = None
    modes: ClassVar[tuple[Mode, ...]] = (Mode("default"),)
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    documentation: ClassVar[str] = ""
    signature: ClassVar[Signature | None] = None

    mode: str = "default"
    dtype: str = "float32"

    # The pure half -------------------------------------------------------------------------------------------------

    def limit(self, case: Case) -> str | None:
        """Why this case cannot be asked, or None: a documented limit.

        Without a vocabulary the default declines what PyTorch's rule forbids, dtypes other than float32, special
        values and empty sizes; with one it declines nothing.
        """
        if self.has_vocabulary:
            return None
        if case.layer is None:
            return "has no vocabulary of its own"
        if case.dtype != "float32":
            return f"dtype {case.dtype} is not declared"
        if case.values == "special":
            return "special values are not declared"
        if 0 in (case.batch, *case.input_size):
            return "empty sizes are not declared"
        return _beyond_pytorch(case.layer)

    def resolve(self, spelling: Spelling, input_size: Size) -> Resolved | Illegal | Unspecified:
        """What the documentation says the spelling means on an input of this size."""
        raise TypeError(f"{self.name} has no vocabulary")

    def candidates(self, layer: Layer, input_size: Size) -> Iterator[Spelling]:
        """Wordings, the most usual first, that may give the layer's output size; ``resolve`` has the last word."""
        return iter(())

    def widest(self, layer: Layer, input_size: Size) -> Spelling:
        """The wording of an output from which any crop of the layer can be cut, without bias."""
        raise TypeError(f"{self.name} has no vocabulary")

    def default_spelling(self, layer: Layer, input_size: Size) -> Spelling | None:
        """What a porter writes who names no output size; None where the API demands one."""
        return None

    def express(self, layer: Layer, input_size: Size) -> Expression | Skipped:
        """How to ask for a layer: words alone if there are any, otherwise the widest output and a crop."""
        if not self.has_vocabulary:
            return Expression(None, (Crop(0, 0),) * layer.ndim)
        worded = self.worded(layer, input_size)
        return worded if isinstance(worded, Skipped) else worded[0]

    def worded(self, layer: Layer, input_size: Size) -> tuple[Expression, Resolved] | Skipped:
        """``express`` of an API with a vocabulary, with what the documentation makes of the spelling."""
        for exact in self.exactly(layer, input_size):
            return exact
        return self.cropped(layer, input_size)

    def exactly(self, layer: Layer, input_size: Size) -> Iterator[tuple[Expression, Resolved]]:
        """Every wording that means the layer, the most usual first, with what the documentation makes of it."""
        wanted = _but_bias(layer)
        for spelling in self.candidates(layer, input_size):
            resolved = self.resolve(spelling, input_size)
            if isinstance(resolved, Resolved) and _but_bias(resolved.layer) == wanted:
                yield Expression(spelling, (Crop(0, 0),) * layer.ndim), resolved

    def cropped(self, layer: Layer, input_size: Size) -> tuple[Expression, Resolved] | Skipped:
        """The widest wording with the crop that makes the layer of it."""
        spelling = self.widest(layer, input_size)
        resolved = self.resolve(spelling, input_size)
        if not isinstance(resolved, Resolved):
            rule = resolved.rule if isinstance(resolved, Illegal) else Rule(resolved.reason, self.documentation)
            return Skipped(f"no spelling reaches this layer: {rule.text}", rule.url)
        if _but_bias_and_crop(resolved.layer) != _but_bias_and_crop(layer):
            return Skipped("no spelling reaches this layer: not all of its arguments have a word", self.documentation)
        pairs = zip(layer.crops, resolved.layer.crops, strict=True)
        crop = tuple(Crop(want.lo - have.lo, want.hi - have.hi) for want, have in pairs)
        return Expression(spelling, crop), resolved

    def snippet(self, spelling: Spelling, input_size: Size) -> str:
        """The call as a person would write it, one line of Python."""
        written = {p.name for p in self.parameters if not p.carried}
        shown = ", ".join(f"{name}={value!r}" for name, value in spelling.arguments if name in written)
        return f"{self.name}({shown})"

    def script(self, case: Case, spelling: Spelling, mode: Mode, *, bias: bool) -> Lines:
        """How a standalone script writes the call on the case's arrays; ``bias`` says whether the call is given one.

        By default the script asks this class, and so needs it and deconvdiff besides the framework.
        """
        location = f"{type(self).__module__}:{type(self).__name__}"
        return asked_of_class(location, case, spelling, mode, bias=bias)

    def violation(self, spelling: Spelling, ndim: int) -> Illegal | Unspecified | None:
        """The first argument that lies in none of its declared domains, as an illegal spelling.

        Arrays of an odd shape (``carried`` parameters) are not arguments: documentation is silent about them.
        """
        written = dict(spelling.arguments)
        for parameter in self.parameters:
            value = written.get(parameter.name)
            if not _is_admitted(parameter.domains, value, ndim):
                rule = f"{parameter.name} must be {'; or '.join(map(describe, parameter.domains))}"
                if parameter.carried:
                    return Unspecified(rule)
                return Illegal(f"{parameter.name} outside its domain", Rule(rule, self.documentation))
        return None

    @classmethod
    def all_modes(cls) -> tuple[Mode, ...]:
        """The declared modes, and of the usual ones besides those whose method the class defines.

        >>> [mode.name for mode in Api.all_modes()]
        ['default']
        """
        declared = {mode.name for mode in cls.modes}
        defined = {"gradient": cls.vjp is not Api.vjp, "abstract": cls.abstract is not Api.abstract}
        return (*cls.modes, *(m for m in IMPLIED if defined[m.name] and m.name not in declared))

    @property
    def has_vocabulary(self) -> bool:
        """Whether the API declares words of its own."""
        return bool(self.parameters)

    def bears_bias(self, spelling: Spelling) -> bool:
        """Whether the call itself adds the bias: there is a word for it, and it does not say no."""
        name = next((p.name for p in self.parameters if p.role is Role.BIAS), None)
        return name is not None and spelling.get(name) is not False

    def role(self, spelling: Spelling, role: Role, default: Any = None) -> Any:
        """The value of the argument that plays a role, or ``default`` where it was not written."""
        name = next((p.name for p in self.parameters if p.role is role), None)
        return default if name is None else spelling.get(name, default)

    def layout(self, spelling: Spelling) -> Layout:
        """How the API lays out the weight of a call with these arguments."""
        raise TypeError(f"{self.name} has no vocabulary")

    # The running half (workers only) -------------------------------------------------------------------------------

    def load(self) -> None:
        """Import the framework and set what must be set before the first call."""

    def version(self) -> str | None:
        """Version of the loaded framework."""
        return None

    def native_weight_shape(self, spelling: Spelling, ndim: int) -> tuple[int, ...]:
        """Shape of the weight in the API's own layout, for legal and illegal spellings alike."""
        inputs, outputs = (self.role(spelling, role) for role in (Role.IN_CHANNELS, Role.OUT_CHANNELS))
        kernel = per_axis(self.role(spelling, Role.KERNEL_SIZE), ndim)
        return self.layout(spelling).shape(inputs, outputs, kernel, groups=self._groups(spelling))

    def native_weight(self, weight: Array, spelling: Spelling) -> Array:
        """The canonical weight in the API's own layout, so that ``apply`` gives the canonical output."""
        return convert(weight, CANONICAL, self.layout(spelling), groups=self._groups(spelling))

    def _groups(self, spelling: Spelling) -> int:
        """A group count of zero, which only an illegal spelling has, counts as none."""
        groups: int = self.role(spelling, Role.GROUPS) or 1
        return groups

    def apply(self, x: Array, weight: Array, bias: Array | None, spelling: Spelling) -> Array | Answer:
        """Call the API: canonical x and bias, native weight; the output in canonical layout (N, C_out, *m)."""
        raise TypeError(f"{self.name} has no vocabulary")

    def abstract(self, batch: int, input_size: Size, asked: Any) -> tuple[int, ...]:
        """Canonical output shape (N, C_out, *m) by shape inference alone; asked in abstract modes only.

        With a vocabulary ``asked`` is a spelling, without one the layer.
        """
        raise TypeError(f"{self.name} has no abstract mode")

    def vjp(self, x: Array, weight: Array, bias: Array | None, asked: Any, cotangent: Array) -> Gradients:
        """The framework's own vector-Jacobian products (dx, dweight, dbias) for a cotangent of the output's shape.

        Asked in gradient modes only. With a vocabulary ``asked`` is a spelling and the weight, like dweight, in the
        API's own layout; without one it is the layer, and everything is canonical.
        """
        raise TypeError(f"{self.name} has no gradients")

    @property
    def fuses(self) -> bool:
        """Whether ``apply_many`` compiles a batch at once in the present mode, which pays for many small calls."""
        return False

    @property
    def fuses_shapes(self) -> bool:
        """Whether ``abstract_many`` infers the shapes of a batch at once."""
        return False

    def abstract_many(self, calls: Sequence[ShapeCall]) -> list[tuple[int, ...]]:
        """The shapes of ``abstract`` for each call; raises like ``apply_many``."""
        shapes = []
        for call in calls:
            self.dtype = call.dtype
            shapes.append(self.abstract(call.batch, call.input_size, call.spelling))
        return shapes

    def alone(self, spelling: Spelling, input_size: Size) -> bool:
        """Whether the call is not to be fused with others: it may end the process, and they would end with it."""
        return False

    def costly(self, spelling: Spelling, input_size: Size) -> bool:
        """Whether the framework is known to take many times as long for this call as for others of its size."""
        return False

    def apply_many(self, calls: Sequence[Call]) -> list[Answer]:
        """The answers of ``apply`` to each call, whatever ``dtype`` is at present.

        Raises what any of the calls raises, for all of them: the caller asks again in parts.

        >>> class Doubles(Api):
        ...     def apply(self, x, weight, bias, spelling):
        ...         return 2 * x.astype(self.dtype)
        >>> from dataclasses import replace
        >>> one = Call(np.ones(1, np.float32), np.ones(1), None, Spelling("mine", {}), "float64")
        >>> [answer.dtype for answer in Doubles().apply_many([one, replace(one, dtype="float32")])]
        ['float64', 'float32']
        """
        return [as_answer(self._for(call).apply(call.x, call.weight, call.bias, call.spelling)) for call in calls]

    def _for(self, call: Call) -> Api:
        self.dtype = call.dtype
        return self

    def tidy(self) -> None:
        """Forget what the framework keeps of past calls, where that grows with their number."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array | Answer:
        """Canonical arrays in, canonical output out."""
        expression = self.express(layer, x.shape[2:])
        if isinstance(expression, Skipped) or expression.spelling is None:
            raise TypeError(f"{self.name} defines neither run nor a vocabulary that reaches this layer")
        return self.run_expression(x, weight, bias, expression)

    def prepare(
        self, x: Array, weight: Array, bias: Array | None, expression: Expression, cotangent: Array | None = None
    ) -> Call:
        """The call that asks for an expression, in the present ``dtype``; ``finish`` makes its answer the expression's.

        A crop cuts outputs that already bear the bias; an extension must bear it too, so the call is made without
        bias and the bias is added afterwards. What was cut from the output has no cotangent, and what was added to it
        gives none to the call.

        Raises:
            TypeError: the expression has no spelling.
        """
        spelling, late = self._in_words(expression, bias)
        weight = self.native_weight(weight, spelling)
        if cotangent is not None:
            cotangent = crop_output(cotangent, tuple(Crop(-lo, -hi) for lo, hi in expression.crop))
        return Call(x, weight, None if late else bias, spelling, self.dtype, cotangent)

    def finish(self, answer: Array | Answer, bias: Array | None, expression: Expression) -> Answer:
        """The answer to a prepared call with the expression's crop or extension, then the bias if that is left."""
        answer = as_answer(answer)
        values = crop_output(answer.values, expression.crop)
        if bias is not None and self._in_words(expression, bias)[1]:
            values = (values + bias.reshape(-1, *[1] * len(expression.crop))).astype(answer.values.dtype)
            values = round_to_bfloat16(values) if answer.dtype == "bfloat16" else values
        return Answer(values, answer.dtype)

    def finish_vjp(
        self, found: Gradients, weight: Array, bias: Array | None, expression: Expression, cotangent: Array
    ) -> Gradients:
        """The gradients of a prepared call, with dweight back in the layout of the canonical weight.

        Where our code adds the bias, dbias is the sum of the expression's ``cotangent`` in float64.
        """
        spelling, late = self._in_words(expression, bias)
        dx, dnative, dbias = found
        moved = as_answer(dnative)
        place = self.native_weight(np.arange(weight.size).reshape(weight.shape), spelling)
        dweight = _put_back(moved.values, place, weight.shape)
        if late:
            summed = cotangent.astype(np.float64).sum(axis=(0, *range(2, cotangent.ndim)))
            dbias = Answer(summed, moved.dtype)  # ours, so that its dtype says nothing of the API
        return dx, Answer(dweight, moved.dtype), None if bias is None else dbias

    def run_expression(
        self,
        x: Array,
        weight: Array,
        bias: Array | None,
        expression: Expression,
        *,
        apply: Callable[..., Array | Answer] | None = None,
    ) -> Answer:
        """``apply`` to the prepared call, finished. ``apply`` stands in for the method where the caller watches it."""
        call = self.prepare(x, weight, bias, expression)
        answer = (apply or self.apply)(call.x, call.weight, call.bias, call.spelling)
        return self.finish(answer, bias, expression)

    def vjp_expression(
        self,
        x: Array,
        weight: Array,
        bias: Array | None,
        expression: Expression,
        cotangent: Array,
        *,
        vjp: Callable[..., Gradients] | None = None,
    ) -> Gradients:
        """``vjp`` of the prepared call, finished: through our crop and back into the canonical weight."""
        call = self.prepare(x, weight, bias, expression, cotangent)
        ask: Callable[..., Gradients] = vjp or self.vjp
        found = ask(call.x, call.weight, call.bias, call.spelling, call.cotangent)
        return self.finish_vjp(found, weight, bias, expression, cotangent)

    def _in_words(self, expression: Expression, bias: Array | None) -> tuple[Spelling, bool]:
        """The spelling, and whether the bias is left to our code, which must add it after an extension."""
        if expression.spelling is None:
            raise TypeError(f"{self.name} is asked in canonical words: it defines run")
        extends = any(end < 0 for crop in expression.crop for end in crop)
        return expression.spelling, bias is not None and (extends or not self.bears_bias(expression.spelling))


#: a layer but for what our code can add after the call: the bias, and the crop where it does not count
_ARGUMENTS = ("in_channels", "out_channels", "kernel_size", "stride", "dilation", "groups")
_but_bias_and_crop = attrgetter(*_ARGUMENTS)
_but_bias = attrgetter(*_ARGUMENTS, "padding", "output_padding")


def _beyond_pytorch(layer: Layer) -> str | None:
    """What PyTorch's documented rule forbids about a layer, if anything."""
    if min(layer.padding) < 0:
        return f"padding={layer.padding} is negative"
    axes = zip(layer.output_padding, layer.stride, layer.dilation, strict=True)
    if any(not 0 <= a < max(s, d) for a, s, d in axes):
        return f"output_padding={layer.output_padding} is not in 0 <= a < max(stride, dilation)"
    return None


def _put_back(native: Array, place: Array, shape: tuple[int, ...]) -> Array:
    """The array in the canonical layout; ``place`` says where each native element comes from.

    What has another shape than the native weight stays as it is: the worker says so.
    """
    if native.shape != place.shape:
        return native
    canonical = np.empty(place.size, native.dtype)
    canonical[place.ravel()] = native.ravel()
    return canonical.reshape(shape)


def channels_last(array: Array) -> Array:
    """(N, C, *size) as (N, *size, C), contiguous.

    >>> channels_last(np.zeros((1, 2, 3, 4))).shape
    (1, 3, 4, 2)
    """
    return np.ascontiguousarray(np.moveaxis(array, 1, -1))


def channels_first(answer: Answer) -> Answer:
    """(N, *size, C) as (N, C, *size).

    >>> channels_first(Answer(np.zeros((1, 3, 4, 2)), "float64")).values.shape
    (1, 2, 3, 4)
    """
    return Answer(np.moveaxis(answer.values, -1, 1), answer.dtype)


def crop_output(output: Array, crop: tuple[Crop, ...]) -> Array:
    """Cut (or, where negative, extend with zeros) the spatial axes of an output (N, C, *m).

    >>> crop_output(np.ones((1, 1, 3)), (Crop(1, -1),))[0, 0].tolist()
    [1.0, 1.0, 0.0]
    """
    if not any(any(axis) for axis in crop):
        return output
    widths = [(0, 0), (0, 0)] + [(max(-lo, 0), max(-hi, 0)) for lo, hi in crop]
    wide = np.pad(output, widths)
    cuts = [(max(lo, 0), max(hi, 0)) for lo, hi in crop]
    ends = [size - hi for size, (_, hi) in zip(wide.shape[2:], cuts, strict=True)]
    index = tuple(slice(lo, max(end, lo)) for (lo, _), end in zip(cuts, ends, strict=True))
    return wide[(slice(None), slice(None), *index)]
