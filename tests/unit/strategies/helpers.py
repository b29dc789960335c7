"""What the tests of strategies share: sampling, searching, shrinking, and a small API with a vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, find, given, seed, settings
from hypothesis.strategies import SearchStrategy

from harness.frameworks.base import Absent, Api, Flag, Integers, Pairs, Parameter, Role, Words, per_axis
from harness.layer import Case, Layer, Spelling
from harness.records import Illegal, Resolved, Rule, Size
from strategies.sampling import Sampler

T = TypeVar("T")
EVERY_CHECK = list(HealthCheck)


def sample(strategy: SearchStrategy[T], count: int) -> list[T]:
    """So many draws, the same ones each time."""
    drawn: list[T] = []

    @seed(7)
    @settings(
        max_examples=count,
        database=None,
        derandomize=False,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=EVERY_CHECK,
    )
    @given(strategy)
    def collect(value: T) -> None:
        drawn.append(value)

    collect()
    return drawn


def sample_straight(strategy: SearchStrategy[T], count: int) -> list[T]:
    """So many draws as a campaign draws them, the same ones each time."""
    sampler = Sampler(7)
    return [sampler(strategy) for _ in range(count)]


def minimal(strategy: SearchStrategy[T], condition: Callable[[T], bool] = lambda _: True) -> T:
    """The simplest draw that meets the condition."""
    options = settings(
        max_examples=2000,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
    )
    return find(strategy, condition, settings=options, random=Random(7))


def find_any(strategy: SearchStrategy[T], condition: Callable[[T], bool]) -> T:
    """Some draw that meets the condition."""
    options = settings(
        max_examples=5000, database=None, deadline=None, phases=[Phase.generate], report_multiple_bugs=False
    )
    return find(strategy, condition, settings=options)


def assert_all_examples(strategy: SearchStrategy[T], condition: Callable[[T], bool], count: int = 300) -> None:
    """Every one of so many draws meets the condition."""
    for value in sample(strategy, count):
        assert condition(value), value


def share(drawn: list[T], condition: Callable[[T], bool]) -> float:
    """The share of draws that meet the condition."""
    return sum(map(condition, drawn)) / len(drawn)


def axes(layer: Layer) -> Iterator[tuple[int, int, int, int, int]]:
    """k, s, d, p, a of each axis."""
    return zip(layer.kernel_size, layer.stride, layer.dilation, layer.padding, layer.output_padding, strict=True)


def accepted_by_pytorch(layer: Layer) -> bool:
    """``p >= 0`` and ``0 <= a < max(s, d)`` on every axis."""
    return all(p >= 0 and 0 <= a < max(s, d) for _, s, d, p, a in axes(layer))


def layer_of(case: Case) -> Layer:
    """The layer of a case that asks one."""
    assert case.layer is not None
    return case.layer


def spelling_of(case: Case) -> Spelling:
    """The spelling of a case that asks one."""
    assert case.spelling is not None
    return case.spelling


class Toy(Api):
    """PyTorch's words."""

    name = "toy.conv_transpose"
    parameters = (
        Parameter("in_channels", Role.IN_CHANNELS, (Integers(1, per_axis=False),)),
        Parameter("out_channels", Role.OUT_CHANNELS, (Integers(1, per_axis=False),)),
        Parameter("kernel_size", Role.KERNEL_SIZE, (Integers(1),)),
        Parameter("stride", Role.STRIDE, (Integers(1), Absent("1"))),
        Parameter("padding", Role.PADDING, (Integers(0), Absent("0"))),
        Parameter("output_padding", Role.OUTPUT_PADDING, (Integers(0), Absent("0"))),
        Parameter("groups", Role.GROUPS, (Integers(1, per_axis=False), Absent("1"))),
        Parameter("bias", Role.BIAS, (Flag(), Absent("True"))),
        Parameter("dilation", Role.DILATION, (Integers(1), Absent("1"))),
        Parameter("output_size", Role.OUTPUT_SIZE, (Absent("output_padding decides"), Integers(1))),
    )

    def resolve(self, spelling: Spelling, input_size: Size) -> Resolved | Illegal:
        """PyTorch's formula and its rules."""
        ndim = len(input_size)
        if violation := self.violation(spelling, ndim):
            assert isinstance(violation, Illegal)
            return violation
        arguments: dict[str, Any] = {name: value for name, value in spelling.arguments if name != "output_size"}
        groups = arguments.get("groups", 1)
        if any(arguments[name] % groups for name in ("in_channels", "out_channels")):
            return Illegal("groups do not divide", Rule("groups divide the channels"))
        layer = Layer(**arguments, ndim=ndim)
        if (asked := spelling.get("output_size")) is not None:
            least = layer.replace(output_padding=0).output_size(input_size)
            added = [m - low for m, low in zip(per_axis(asked, ndim), least, strict=True)]
            layer = layer.replace(output_padding=added)
        if not accepted_by_pytorch(layer) or min(layer.output_size(input_size)) < 1:
            return Illegal("output size", Rule("0 <= output_padding < max(stride, dilation), and something is left"))
        return Resolved(layer)

    def candidates(self, layer: Layer, input_size: Size) -> Iterator[Spelling]:
        """The layer's own numbers, then with the output size instead of the output padding."""
        arguments = layer.to_json()
        yield Spelling(self.name, arguments)
        size = layer.output_size(input_size)
        yield Spelling(self.name, {**arguments, "output_padding": (0,) * layer.ndim, "output_size": size})

    def widest(self, layer: Layer, input_size: Size) -> Spelling:  # the same for every input
        """The full output."""
        return Spelling(self.name, layer.replace(padding=0, output_padding=0, bias=False).to_json())


class Worded(Api):
    """Words, pairs and an output size that has to be named; channels and kernel lie in the weight."""

    name = "toy.worded"
    parameters = (
        Parameter("channels", Role.IN_CHANNELS, (Integers(1, per_axis=False),), carried=True),
        Parameter("filters", Role.OUT_CHANNELS, (Integers(1, per_axis=False),), carried=True),
        Parameter("kernel", Role.KERNEL_SIZE, (Integers(1),), carried=True),
        Parameter("size", Role.OUTPUT_SIZE, (Integers(0),)),
        Parameter("strides", Role.STRIDE, (Integers(1),)),
        Parameter("padding", Role.PADDING, (Words({"SAME": "", "VALID": ""}), Pairs(0))),
        Parameter("flip", Role.ORIENTATION, (Flag(), Absent("False"))),
    )

    def resolve(self, spelling: Spelling, input_size: Size) -> Resolved | Illegal:
        """The size is one of the valid ones of the word or of the pairs."""
        ndim = len(input_size)
        if violation := self.violation(spelling, ndim):
            assert isinstance(violation, Illegal)
            return violation
        layer = Layer(spelling["channels"], spelling["filters"], spelling["kernel"], spelling["strides"], ndim=ndim)
        full, size, padding = layer.full_size(input_size), per_axis(spelling["size"], ndim), spelling["padding"]
        for axis in range(ndim):
            n, s = input_size[axis], layer.stride[axis]
            base = (n - 1) * s + 1 if padding == "SAME" else full[axis]
            base -= 0 if isinstance(padding, str) else sum(padding[axis])
            if not max(base, 1) <= size[axis] < base + s:
                return Illegal("size", Rule("the forward convolution gives the input size back"))
        near = [max(f - m, 0) // 2 if padding == "SAME" else 0 for f, m in zip(full, size, strict=True)]
        near = near if isinstance(padding, str) else [lo for lo, _ in padding]
        added = [2 * lo + m - f for lo, m, f in zip(near, size, full, strict=True)]
        return Resolved(layer.replace(padding=near, output_padding=added))

    def candidates(self, layer: Layer, input_size: Size) -> Iterator[Spelling]:
        """Both words and the pairs; no groups and no dilation."""
        if layer.groups == max(layer.dilation) == 1:
            for padding in ("SAME", "VALID", layer.crops):
                yield self._spell(layer, layer.output_size(input_size), padding)

    def widest(self, layer: Layer, input_size: Size) -> Spelling:
        """The full output."""
        return self._spell(layer, layer.full_size(input_size), "VALID")

    def _spell(self, layer: Layer, size: Size, padding: Any) -> Spelling:
        arguments = (layer.in_channels, layer.out_channels, layer.kernel_size, size, layer.stride, padding)
        names = ("channels", "filters", "kernel", "size", "strides", "padding")
        return Spelling(self.name, dict(zip(names, arguments, strict=True)))


class Wordless(Api):
    """No vocabulary."""

    name = "toy.wordless"
