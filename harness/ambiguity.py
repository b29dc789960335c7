"""The size ambiguity of a layer: its valid output sizes, which one each API picks, which it reaches, with which crop.

What is said of an API here is what its documentation makes of its words (``resolve``); ``fuzz`` holds the installed
versions against exactly that. Axes are independent, so each axis is asked as a layer all of whose axes are alike.
The asked crop of an output size m is ``lo`` of the layer in front and ``F - lo - m`` behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness import sizes
from harness.errors import UsageError
from harness.frameworks.base import Absent, Api, Parameter, Role, Words
from harness.layer import Case, Crop, Layer, Spelling
from harness.records import ApiSizes, AxisSizes, Forward, Illegal, OwnRule, Reach, Resolved, Size, SizeTable

#: output sizes of a table, over all its input sizes: as many as anybody reads
MOST_SIZES = 1000

#: sizes from which on a layer's coordinates are refused
_BEYOND = 2**31

_CROP_ROLES = (Role.PADDING, Role.OUTPUT_PADDING, Role.OUTPUT_SIZE, Role.CONVENTION)


@dataclass(frozen=True, slots=True)
class Spelled:
    """A layer in the words of one API; which layer that is may depend on the input size."""

    api: Api
    spelling: Spelling
    ndim: int

    def without_size(self) -> Spelling | None:
        """The words but for the output's size; None where the API demands one."""
        named = _parameter(self.api, Role.OUTPUT_SIZE)
        if named is None:
            return self.spelling
        if not any(isinstance(domain, Absent) for domain in named.domains):
            return None
        kept = {name: value for name, value in self.spelling.arguments if name != named.name}
        return Spelling(self.spelling.api, kept)


@dataclass(frozen=True, slots=True)
class _Meant:
    """What is asked at one input size: the layer, the forward rule of its words, and the words, if there are any."""

    layer: Layer
    input_size: Size
    forward: Forward | None = None
    spelled: Spelled | None = None

    def valid(self, axis: int) -> range:
        """The valid output sizes: by the words' own forward rule, else by the convolution that pads (lo, hi).

        Of a layer hi is lo, as in PyTorch's words: its output padding is not used.
        """
        if self.forward is not None:
            return self.forward.valid_output_sizes(self.layer, self.input_size)[axis]
        k, s, d, (lo, hi) = (getattr(self.layer, name)[axis] for name in ("kernel_size", "stride", "dilation", "crops"))
        total = 2 * lo if self.spelled is None else lo + hi
        return sizes.inverse_sizes(self.input_size[axis], kernel_size=k, stride=s, dilation=d, total_padding=total)

    def alike(self, axis: int) -> Layer:
        """The layer all of whose axes are this one, with no output padding."""
        names = ("kernel_size", "stride", "padding", "dilation")
        alike = {name: (getattr(self.layer, name)[axis],) * self.layer.ndim for name in names}
        return self.layer.replace(output_padding=0, **alike)

    def spelled_by(self, api: Api) -> Spelled | None:
        """The words, where they are this API's."""
        return self.spelled if self.spelled is not None and self.spelled.api.name == api.name else None

    def word(self) -> str | None:
        """The word for the padding, where the layer is asked with one."""
        padding = None if self.spelled is None else _padding(self.spelled.api, self.spelled.spelling)
        return padding if isinstance(padding, str) else None


@dataclass(frozen=True, slots=True)
class _Way:
    """A call that comes to some size on an axis."""

    api: Api
    spelling: Spelling
    resolved: Resolved
    input_size: Size
    axis: int = 0

    @property
    def size(self) -> int:
        return self.resolved.layer.output_size(self.input_size)[self.axis]

    @property
    def padding(self) -> Any:
        return _of_axis(_padding(self.api, self.spelling), len(self.input_size), self.axis)

    @property
    def crop(self) -> Crop:
        return self.resolved.layer.crops[self.axis]

    def has_asked_crop(self, lo: int) -> bool:
        full = self.resolved.layer.full_size(self.input_size)[self.axis]
        return self.crop == _asked_crop(full, lo, self.size)

    def rule(self) -> OwnRule | None:
        """The output sizes that its own forward convolution, if it has one, takes back to the input size."""
        if (forward := self.resolved.forward) is None:
            return None
        valid = forward.valid_output_sizes(self.resolved.layer, self.input_size)[self.axis]
        return OwnRule(self.padding, tuple(valid), forward.rule)

    def reach(self, lo: int) -> Reach:
        """What is shown of it, where the asked crop begins with lo."""
        names = {parameter.name for parameter in self.api.parameters if parameter.role in _CROP_ROLES}
        ndim = len(self.input_size)
        arguments = {k: _of_axis(value, ndim, self.axis) for k, value in self.spelling.arguments if k in names}
        call = self.api.snippet(self.spelling, self.input_size)
        return Reach(arguments, call, self.crop, self.has_asked_crop(lo))


def size_table(asked: Layer | Spelled, inputs: Sequence[Sequence[int]], apis: Sequence[Api]) -> SizeTable:
    """The table of every axis of a layer at some input sizes; ``inputs`` has those of each axis.

    What a layer adds by output_padding is not used; words are, and so is their own forward rule. Input sizes at which
    words mean nothing are passed over, with the reason.

    Raises:
        InvalidField: the inputs have not one entry for each axis, or one below 0.
        UsageError: more output sizes than anybody reads, numbers beyond 2**31, or words that mean nothing anywhere.

    >>> from harness.frameworks.torch import ConvTranspose
    >>> table = size_table(Layer(kernel_size=3, stride=2, ndim=1), [range(2, 4)], [ConvTranspose()])
    >>> [(axis.input_size, axis.valid, axis.apis[0].default) for axis in table.axes]
    [(2, (5, 6), 5), (3, (7, 8), 7)]
    """
    places = list(_places(inputs))
    found = {size: _meaning(asked, size) for _, size in places}
    meant = {size: one for size, one in found.items() if isinstance(one, _Meant)}
    skipped = {size: one for size, one in found.items() if isinstance(one, str)}
    if not meant:
        size, reason = next(iter(skipped.items()))
        shown = size[0] if len(set(size)) == 1 else size
        raise UsageError(f"the layer means nothing at an input of size {shown}: {reason}")
    layers = [(meant[size], axis) for axis, size in places if size in meant]
    _check(layers)
    axes = tuple(_axis(one, axis, apis) for one, axis in layers)
    source = asked.spelling if isinstance(asked, Spelled) else None
    return SizeTable(next(iter(meant.values())).layer, axes, source, skipped)


def _places(inputs: Sequence[Sequence[int]]) -> Iterator[tuple[int, Size]]:
    """Each axis with each of its input sizes; the others have the same where all are asked alike, else their first."""
    alike = len({tuple(one) for one in inputs}) == 1
    first = [one[0] for one in inputs]
    for axis, some in enumerate(inputs):
        for n in some:
            yield axis, (n,) * len(inputs) if alike else (*first[:axis], n, *first[axis + 1 :])


def _meaning(asked: Layer | Spelled, size: Size) -> _Meant | str:
    if isinstance(asked, Layer):
        return _Meant(asked, size)
    resolved = asked.api.resolve(asked.spelling, size)
    if not isinstance(resolved, Resolved):
        return resolved.rule.text if isinstance(resolved, Illegal) else resolved.reason
    return _Meant(resolved.layer, size, resolved.forward, asked)


def _check(layers: Sequence[tuple[_Meant, int]]) -> None:
    """Refuse what is too large to be counted, or to be read."""
    for one, axis in layers:
        n, full = one.input_size[axis], one.layer.full_size(one.input_size)[axis]
        if full + one.layer.stride[axis] >= _BEYOND:
            raise UsageError(f"input size {n}: the full output would have {full} elements; at most 2**31 are counted")
    strides = [one.layer.stride[axis] for one, axis in layers]
    if (shown := sum(strides)) > MOST_SIZES:
        raise UsageError(
            f"stride {max(strides)}: has as many valid output sizes at each input size, here {shown} in all; "
            f"at most {MOST_SIZES} are shown"
        )


def _axis(meant: _Meant, axis: int, apis: Sequence[Api]) -> AxisSizes:
    alike, n, valid = meant.alike(axis), meant.input_size[axis], meant.valid(axis)
    full = alike.full_size((n,) * alike.ndim)[0]
    asked = tuple(_asked_crop(full, alike.padding[0], m) for m in valid)
    return AxisSizes(axis, n, tuple(valid), asked, tuple(_api(api, meant, axis, valid) for api in apis))


def _asked_crop(full: int, lo: int, m: int) -> Crop:
    return Crop(lo, sizes.crop_for(full, output_size=m, lo=lo))


def _api(api: Api, meant: _Meant, axis: int, valid: range) -> ApiSizes:
    # A case has some output, which the layer's own crop need not leave.
    whole = meant.layer.replace(padding=0, output_padding=0)
    limit = api.limit(Case(whole, input_size=[max(n, 1) for n in meant.input_size]))
    if limit is not None:
        return ApiSizes(api.name, None, {}, tuple(valid), limit=limit)
    alike, input_size = meant.alike(axis), (meant.input_size[axis],) * meant.layer.ndim
    ways = {m: list(_ways(api, alike, m, input_size)) for m in _looked_at(alike, input_size[0], valid)}
    picked, own = _picked(api, meant, axis), _own(api, meant, axis)
    if own is not None and own.size in valid:
        ways[own.size].insert(0, own)
    lo = alike.padding[0]
    best = {m: found for m in valid if (found := _best(ways[m], m, lo)) is not None}
    rules = _rules(picked, best.values(), (way for some in ways.values() for way in some))
    return ApiSizes(
        api=api.name,
        default=None if picked is None else picked.size,
        reach={m: way.reach(lo) for m, way in best.items()},
        unreachable=tuple(m for m in valid if m not in best),
        picked=None if picked is None else picked.reach(lo),
        rules=rules,
    )


def _looked_at(alike: Layer, n: int, valid: range) -> list[int]:
    """The valid sizes, and one at which SAME and VALID, of whatever API, have a meaning."""
    k, s, d = alike.kernel_size[0], alike.stride[0], alike.dilation[0]
    words = sizes.same_inverse_sizes(n, stride=s), sizes.inverse_sizes(n, kernel_size=k, stride=s, dilation=d)
    return list(dict.fromkeys([*valid, *(m for some in words for m in some[-1:])]))


def _ways(api: Api, alike: Layer, m: int, input_size: Size) -> Iterator[_Way]:
    """The wordings that may come to the size m."""
    wanted = alike.replace(output_padding=m - alike.output_size(input_size)[0])
    for spelling in api.candidates(wanted, input_size):
        resolved = api.resolve(spelling, input_size)
        if isinstance(resolved, Resolved):
            yield _Way(api, spelling, resolved, input_size)


def _best(ways: Sequence[_Way], m: int, lo: int) -> _Way | None:
    """The first way to the size with the asked crop, or else the first with the size; None without either."""
    reaching = [way for way in ways if way.size == m]
    return next((way for way in reaching if way.has_asked_crop(lo)), next(iter(reaching), None))


def _picked(api: Api, meant: _Meant, axis: int) -> _Way | None:
    """What comes out where nobody names a size: of the layer's own words, or of what a porter writes."""
    if (spelled := meant.spelled_by(api)) is not None:
        return _resolved(api, spelled.without_size(), meant.input_size, axis)
    input_size = (meant.input_size[axis],) * meant.layer.ndim
    spelling = api.default_spelling(meant.alike(axis), input_size)
    return _resolved(api, _in_the_word(api, spelling, meant.word()), input_size, 0)


def _own(api: Api, meant: _Meant, axis: int) -> _Way | None:
    """The layer's own words, where they are the API's."""
    spelled = meant.spelled_by(api)
    return None if spelled is None else _resolved(api, spelled.spelling, meant.input_size, axis)


def _resolved(api: Api, spelling: Spelling | None, input_size: Size, axis: int) -> _Way | None:
    resolved = None if spelling is None else api.resolve(spelling, input_size)
    if spelling is None or not isinstance(resolved, Resolved):
        return None
    return _Way(api, spelling, resolved, input_size, axis)


def _in_the_word(api: Api, spelling: Spelling | None, word: str | None) -> Spelling | None:
    """The spelling with the word that the layer is asked with, where the API has it, too: a porter keeps it."""
    padding = _parameter(api, Role.PADDING)
    if spelling is None or word is None or padding is None:
        return spelling
    known = [one for domain in padding.domains if isinstance(domain, Words) for one in domain.meanings]
    same = next((one for one in known if one.upper() == word.upper()), None)
    return spelling if same is None else spelling.replace(**{padding.name: same})


def _rules(picked: _Way | None, best: Iterable[_Way], ways: Iterable[_Way]) -> tuple[OwnRule, ...]:
    """The forward rules, the usual wording's first: what it picks, what it reaches with, its other words."""
    usual = [*([] if picked is None else [picked]), *best]
    found: dict[Any, OwnRule] = {}
    for way in (*usual, *(way for way in ways if isinstance(way.padding, str))):
        if (rule := way.rule()) is not None:
            found.setdefault(rule.padding, rule)
    return tuple(found.values())


def _parameter(api: Api, role: Role) -> Parameter | None:
    return next((parameter for parameter in api.parameters if parameter.role is role), None)


def _padding(api: Api, spelling: Spelling) -> Any:
    """The padding that is written, or what leaving it out means."""
    written, parameter = api.role(spelling, Role.PADDING), _parameter(api, Role.PADDING)
    if written is not None or parameter is None:
        return written
    meaning = next((domain.meaning for domain in parameter.domains if isinstance(domain, Absent)), None)
    return int(meaning) if meaning is not None and meaning.isdigit() else meaning


def _of_axis(value: Any, ndim: int, axis: int) -> Any:
    return value[axis] if isinstance(value, tuple) and len(value) == ndim else value
