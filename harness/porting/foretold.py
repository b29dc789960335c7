"""Calls drawn from a source's own vocabulary, and what is foretold of their naive ports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.audit.naive import NaivePort, Part, Taken, naive_port
from harness.frameworks.base import Api
from harness.layer import Case, Layer, Spelling
from harness.porting.wording import Wording, words_of
from harness.records import Resolved, Size
from strategies import spelled_cases
from strategies.sampling import Sampler

#: what is said of a port: its parts, and all of them together
PARTS = (*(part.value for part in Part), "value")

#: larger inputs show nothing more, and take longer to be run
_LARGEST = 8
#: a source that is hardly ever legal must not be drawn from forever
_PATIENCE = 100


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a source that its documentation gives a meaning: the layer, and how it is worded."""

    spelling: Spelling
    input_size: Size
    layer: Layer
    words: Wording

    @property
    def magnitude(self) -> tuple[int, int, str]:
        """The order of size: fewer axes, smaller numbers."""
        layer = self.layer
        numbers = (*self.input_size, *layer.kernel_size, *layer.stride, *layer.dilation, *map(abs, layer.padding))
        more = layer.in_channels + layer.out_channels + layer.groups + layer.bias
        return layer.ndim, sum(numbers) + sum(map(abs, layer.output_padding)) + more, repr(self.spelling.arguments)


def call_of(source: Api, spelling: Spelling, input_size: Size) -> Call | None:
    """The call, where it is legal, within the source's limits and leaves some output."""
    resolved = source.resolve(spelling, input_size)
    if not isinstance(resolved, Resolved) or min(resolved.layer.output_size(input_size)) < 1:
        return None
    if source.limit(Case.spelled(spelling, input_size=input_size)) is not None:
        return None
    return Call(spelling, input_size, resolved.layer, words_of(source, spelling))


def draw(source: Api, count: int, seed: int) -> list[Call]:
    """So many different calls, the same for the same seed: those that the campaign's strategies draw, if small.

    >>> from harness.frameworks.torch import ConvTranspose
    >>> draw(ConvTranspose(), 5, 1) == draw(ConvTranspose(), 5, 1)
    True
    """
    calls: dict[tuple[Spelling, Size], Call] = {}
    for case in _cases(source, seed, _PATIENCE * count):
        if len(calls) == count:
            break
        assert case.spelling is not None, "such cases are drawn"  # noqa: S101 # for the type checker
        call = call_of(source, case.spelling, case.input_size) if max(case.input_size) <= _LARGEST else None
        if call is not None:
            calls.setdefault((call.spelling, call.input_size), call)
    return list(calls.values())


def _cases(source: Api, seed: int, most: int) -> Iterator[Case]:
    sampler, strategy = Sampler(seed), spelled_cases([source])
    return (sampler(strategy) for _ in range(most))


def foretell(source: Api, call: Call, target: Api) -> NaivePort:
    """The naive port of a call."""
    return naive_port(source, call.spelling, target, call.input_size)


def is_right(naive: NaivePort, part: str) -> bool | None:
    """Whether a part is right; None of the size, kernel or crop of a call that is not taken."""
    if part == "value":
        return naive.value_equal
    if naive.taken is not Taken.YES and part != Part.TAKEN.value:
        return None
    return naive.is_right(Part(part))
