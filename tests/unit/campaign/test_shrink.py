"""Greedy reduction: what is left still shows the finding, no single step from it does, and nothing is chance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import pytest
from hypothesis import given, settings

import strategies
from harness import Case, Layer, Spelling
from harness.campaign.lattice import reductions
from harness.campaign.shrink import MOST_ASKED, Shows, shrink
from harness.frameworks import torch

BIG = Case(
    Layer(8, 12, (5, 3), (3, 2), (2, -1), (1, -1), (2, 3), groups=4),
    batch=3,
    input_size=(9, 6),
    dtype="float64",
    seed=9,
)


def layer_of(case: Case) -> Layer:
    """The layer of a case that asks one."""
    assert case.layer is not None
    return case.layer


def strided(case: Case) -> bool:
    """Some axis is strided by more than its kernel, and there is output padding on it."""
    layer = layer_of(case)
    axes = zip(layer.stride, layer.kernel_size, layer.output_padding, strict=True)
    return any(s >= 2 and k >= 2 and a >= 1 for s, k, a in axes)


def grouped(case: Case) -> bool:
    """Groups of more than one output channel, with a bias."""
    layer = layer_of(case)
    return layer.bias and layer.groups > 1 and layer.out_channels > layer.groups


def asymmetric(case: Case) -> bool:
    """The dilations of two axes differ."""
    return len(set(layer_of(case).dilation)) > 1


def long(case: Case) -> bool:
    """An output of so many elements, however they come about."""
    layer = layer_of(case)
    return case.batch * layer.out_channels * sum(layer.output_size(case.input_size)) >= 100


def odd(case: Case) -> bool:
    """Not monotone: the sizes and strides add up to a multiple of 3, which single steps often miss."""
    return (sum(case.input_size) + sum(layer_of(case).stride) + case.batch) % 3 == 2


def extended(case: Case) -> bool:
    """The output reaches beyond the full output."""
    return min(end for crop in layer_of(case).crops for end in crop) < 0


PREDICATES = [strided, grouped, asymmetric, long, odd, extended]
EACH = pytest.mark.parametrize("shows", PREDICATES, ids=[shows.__name__ for shows in PREDICATES])


class Watched:
    """A predicate that remembers what it was asked."""

    def __init__(self, shows: Callable[[Case], bool]) -> None:
        self.shows = shows
        self.asked: list[Case] = []

    def __call__(self, cases: Sequence[Case]) -> list[Callable[[], bool]]:
        """Ask, and remember."""
        self.asked += cases
        return [partial(self.shows, case) for case in cases]


def each(shows: Callable[[Case], bool]) -> Watched:
    """Asked of several cases together."""
    return Watched(shows)


def one_by_one(case: Case, shows: Shows, steps: Callable[[Case], Iterable[Case]], **limit: int) -> Case:
    """No case is asked beside another."""
    return shrink(case, shows, steps, together=1, **limit)


def is_minimal(case: Case, shows: Callable[[Case], bool]) -> bool:
    """The finding is seen, and after no single step any more."""
    return shows(case) and not any(map(shows, reductions(case)))


@EACH
def test_no_single_step_from_the_result_keeps_the_finding(shows: Callable[[Case], bool]) -> None:
    """1-minimal on the lattice, and of the same recipe."""
    assert shows(BIG)
    small = shrink(BIG, each(shows), reductions)
    assert is_minimal(small, shows)
    assert (small.dtype, small.values, small.seed) == (BIG.dtype, BIG.values, BIG.seed)


def test_what_has_no_part_in_the_finding_is_gone() -> None:
    """Exactly the coordinates that make it are left."""
    assert shrink(BIG, each(strided), reductions) == BIG.replace(
        layer=Layer(1, 1, (2,), (2,), (0,), (1,), (1,), bias=False), batch=1, input_size=(1,)
    )
    assert shrink(BIG, each(grouped), reductions) == BIG.replace(
        layer=Layer(2, 4, (1,), groups=2), batch=1, input_size=(1,)
    )
    assert shrink(BIG, each(asymmetric), reductions) == BIG.replace(
        layer=Layer(1, 1, 1, 1, dilation=(1, 2), bias=False), batch=1, input_size=(1, 1)
    )


@settings(deadline=None, max_examples=25)
@given(case=strategies.layer_cases(layers=strategies.layers(max_channels=8, max_kernel_size=5, max_stride=4)))
def test_any_case_is_reduced_to_a_minimal_one(case: Case) -> None:
    """A predicate that some case or other meets: an output of at least half as many elements, in an odd total."""
    layer = layer_of(case)
    half = sum(layer.output_size(case.input_size)) // 2

    def shows(candidate: Case) -> bool:
        size = sum(layer_of(candidate).output_size(candidate.input_size))
        return size >= half and layer_of(candidate).bias is layer.bias

    assert is_minimal(shrink(case, each(shows), reductions), shows)


@EACH
def test_the_same_case_and_answers_give_the_same_result(shows: Callable[[Case], bool]) -> None:
    """By the same questions in the same order: nothing is drawn."""
    first, second = Watched(shows), Watched(shows)
    assert shrink(BIG, first, reductions) == shrink(BIG, second, reductions)
    assert first.asked == second.asked


@EACH
def test_no_case_is_asked_twice(shows: Callable[[Case], bool]) -> None:
    """Asking takes time; the case that is reduced is known to show it, and not asked at all."""
    watched = Watched(shows)
    shrink(BIG, watched, reductions)
    assert BIG not in watched.asked
    assert len({case.content_hash for case in watched.asked}) == len(watched.asked) < MOST_ASKED


def test_what_is_minimal_already_stays() -> None:
    """Every step from it is asked, once."""
    watched = Watched(lambda _: False)
    assert shrink(BIG, watched, reductions) is BIG
    assert {case.content_hash for case in watched.asked} == {case.content_hash for case in reductions(BIG)}


def test_what_always_shows_becomes_the_plainest_case() -> None:
    """Largest steps first, so that it takes few of them."""
    watched = Watched(lambda _: True)
    small = one_by_one(BIG, watched, reductions)
    assert small == BIG.replace(layer=Layer(ndim=1, bias=False), batch=1, input_size=(1,))
    assert len(watched.asked) <= 15


@EACH
@pytest.mark.parametrize("limit", [0, 1, 5, 20])
def test_no_more_cases_are_asked_than_the_limit_allows(shows: Callable[[Case], bool], limit: int) -> None:
    """What is reached by then still shows the finding."""
    watched = Watched(shows)
    small = one_by_one(BIG, watched, reductions, limit=limit)
    assert len(watched.asked) <= limit
    assert shows(small)
    assert small == (BIG if not any(map(shows, watched.asked)) else next(filter(shows, reversed(watched.asked))))


def test_the_limit_is_spent() -> None:
    """It cuts a longer reduction exactly there, and changes nothing where it is wide enough."""
    whole = Watched(long)
    small = one_by_one(BIG, whole, reductions)
    cut = Watched(long)
    one_by_one(BIG, cut, reductions, limit=len(whole.asked) - 1)
    assert cut.asked == whole.asked[:-1]
    assert one_by_one(BIG, Watched(long), reductions, limit=len(whole.asked)) == small


def test_only_steps_of_what_shows_are_asked() -> None:
    """From each case its own steps, up to the first that shows; then from that one, up to the end."""
    watched = Watched(asymmetric)
    one_by_one(BIG, watched, reductions)
    case, asked, seen = BIG, list(watched.asked), {BIG.content_hash}

    def fresh(case: Case) -> Iterator[Case]:
        for candidate in reductions(case):
            if candidate.content_hash not in seen:
                seen.add(candidate.content_hash)
                yield candidate

    while asked:
        for candidate in fresh(case):
            assert asked.pop(0) == candidate
            if asymmetric(candidate):
                case = candidate
                break
        else:
            break
    assert not asked
    assert is_minimal(case, asymmetric)


@EACH
@pytest.mark.parametrize("together", [1, 7, 128])
def test_what_is_asked_together_changes_nothing(shows: Callable[[Case], bool], together: int) -> None:
    """The first step that shows is taken, whatever else was asked beside it."""
    assert shrink(BIG, each(shows), reductions, together=together) == shrink(BIG, each(shows), reductions)


def test_a_spelled_case_is_reduced_by_its_vocabulary() -> None:
    """An illegal stride among much else: the call that is left has it and what it cannot do without."""
    api = torch.ConvTranspose()
    words = {"in_channels": 4, "out_channels": 6, "kernel_size": (3, 3), "stride": (2, -2), "padding": 1, "groups": 2}
    case = Case.spelled(Spelling(api.name, {**words, "bias": False}), batch=2, input_size=(4, 5), seed=1)

    def shows(candidate: Case) -> bool:
        assert candidate.spelling is not None
        stride = candidate.spelling.get("stride")
        return isinstance(stride, tuple) and min(stride) < 1

    steps = partial(reductions, parameters=api.parameters)
    small = shrink(case, each(shows), steps)
    plain = Spelling(api.name, {"in_channels": 1, "out_channels": 1, "kernel_size": (1,), "stride": (0,)})
    assert small == Case.spelled(plain, batch=1, input_size=(1,), seed=1)
    assert shows(small)
    assert not any(map(shows, steps(small)))
