"""The box: that its enumeration is the whole of it, once each and by index, and what its option refuses."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from harness import Case
from harness.errors import UsageError
from strategies.box import DEFAULT, LIMITS, Box, relations

SMALL = "n<=3,k<=2,s<=3,p<=2,d<=2,g<=2,c<=1"

#: one axis (n, k, s, p, a, d) of ``SMALL`` by the rules alone
ROWS = [
    (n, k, s, p, a, d)
    for n, k, s, p, d in product((1, 2, 3), (1, 2), (1, 2, 3), (0, 1, 2), (1, 2))
    for a in range(max(s, d))
    if (n - 1) * s + d * (k - 1) + 1 - 2 * p + a >= 1
]


def content(case: Case) -> tuple[object, ...]:
    """Rows per axis, groups and bias."""
    layer = case.layer
    assert layer is not None
    axes = zip(
        case.input_size,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.output_padding,
        layer.dilation,
        strict=True,
    )
    return tuple(axes), layer.groups, layer.in_channels, layer.out_channels, layer.bias


def everything(box: Box) -> list[Case]:
    """Every case, block by block."""
    cases: list[Case] = []
    while len(cases) < len(box):
        cases += box.cases(box.block(len(cases), 50))
    return cases


def test_one_axis_is_enumerated_whole_and_once() -> None:
    """The count is that of the rules written out, nothing comes twice and nothing is missing."""
    box = Box.parse(SMALL + ",ndim==1")
    found = [content(case) for case in everything(box)]
    channels = [(g, g, g, bias) for g in (1, 2) for bias in (False, True)]
    assert len(found) == len(box) == len(ROWS) * len(channels)
    assert set(found) == {((row,), *rest) for row in ROWS for rest in channels}


def test_two_axes_are_crossed_whole_where_cross_allows_it() -> None:
    """Every row of one axis meets every row of the other with all channels, once."""
    box = Box.parse("ndim==2,n<=2,k<=2,s<=2,p<=1,d==1,g==1,c<=2,bias==0,cross<=100000")
    found = {content(case) for case in everything(box)}
    assert len(found) == len(box) == len(box.rows) ** 2 * 4


@pytest.mark.parametrize("ndim", [2, 3])
def test_otherwise_each_row_of_the_first_axis_meets_as_many_others_as_asked(ndim: int) -> None:
    """None twice, and all rows are met on every axis."""
    box = Box.parse(f"{SMALL},ndim=={ndim},cross<=7")
    found = {content(case) for case in everything(box)}
    assert len(found) == len(box) == 7 * len(ROWS)
    for axis in range(ndim):
        assert {axes[axis] for axes, *_ in found} == set(ROWS)  # type: ignore[index]  # rows per axis stand first


def test_every_pair_of_relations_meets_in_the_default_box() -> None:
    """However few of the pairs of rows are met, what one axis is in kind meets what another is in kind."""
    box = Box.parse(DEFAULT + ",ndim==2")
    axes, _ = box.indices(range(len(box)))
    marks = np.unique(relations(box.rows) & 0b11111, return_inverse=True)[1][axes]
    assert len(set(zip(*marks.tolist(), strict=True))) == (marks.max() + 1) ** 2


def test_it_is_indexed_in_a_fixed_order_and_the_rest_is_the_rest() -> None:
    """A case of an ordinal is the same alone and in a block; blocks never hold two numbers of axes."""
    box = Box.parse(SMALL + ",cross<=2")
    cases = everything(box)
    assert [box.case(ordinal) for ordinal in range(0, len(box), 97)] == cases[::97]
    assert everything(Box.parse(SMALL + ",cross<=2"))[150:] == cases[150:]
    assert {case.ndim for case in cases} == {1, 2}
    start = next(place for place, case in enumerate(cases) if case.ndim == 2)
    assert box.block(start - 3, 10) == range(start - 3, start)


def test_the_predicted_shapes_are_those_of_the_layers() -> None:
    """NumPy's arrays against one layer after the other, and where ``a >= s``."""
    box = Box.parse(SMALL + ",cross<=2,c<=2")
    for start in (0, len(box) - 60):
        ordinals = box.block(start, 60)
        cases = box.cases(ordinals)
        shapes = [(1, c.layer.out_channels, *c.layer.output_size(c.input_size)) for c in cases if c.layer is not None]
        assert [tuple(shape) for shape in box.shapes(ordinals).tolist()] == shapes
        beyond = [any(a >= s for _, _, s, _, a, _ in content(case)[0]) for case in cases]  # type: ignore[attr-defined]  # rows per axis
        assert box.beyond_stride(ordinals).tolist() == beyond


def test_the_sample_has_some_of_every_stratum_whatever_else_is_in_the_box() -> None:
    """At most so many of each, all of a small one, and on one axis the relations of every row are there."""
    box = Box.parse(SMALL + ",ndim==1")
    for each in (1, 3):
        chosen = box.sample(each)
        (rows,), channels = box.indices(range(len(box)))
        strata = list(zip(relations(box.rows)[rows].tolist(), (box.channels[channels, 0] > 1).tolist(), strict=True))
        for stratum in set(strata):
            size = strata.count(stratum)
            taken = sum(1 for one, at in zip(strata, chosen, strict=True) if one == stratum and at)
            assert taken == min(each, size)
    assert box.sample(2).tolist() == Box.parse(SMALL + ",ndim==1").sample(2).tolist()


def test_cases_are_exact_small_and_of_the_seed() -> None:
    """Float32 integers, batch 1, arrays of the box's seed."""
    case = replace(Box.parse("ndim==1"), seed=9).case(5)
    assert (case.dtype, case.values, case.batch, case.seed) == ("float32", "integers", 1, 9)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("k<4", "'k<4' is not a bound"),
        ("q<=4", "'q<=4' is not a bound"),
        ("k<=4,", "'' is not a bound"),
        ("k<=two", "'k<=two' is not a bound"),
        ("k<=99", "k is from 1 to 32, not 99"),
        ("n==0", "n is from 1 to 32, not 0"),
        ("k>=4,k<=3", "no k is at least 4 and at most 3"),
        ("n==1,k==1,p>=3,p<=4", "leaves an output"),
        ("n<=32,k<=32,s<=16,p<=32,d<=16", "tuples for one axis"),
        ("n<=9,k<=9,cross<=100000", "lower a bound, or cross"),
        ("ndim==3,n<=32,k<=32,s==1,p==0,d==1,g==1,cross<=1", "beyond the work bound"),
    ],
)
def test_a_box_that_cannot_be_is_refused_in_one_line(text: str, told: str) -> None:
    """The value, the rule, and what to do."""
    with pytest.raises(UsageError) as raised:
        Box.parse(text)
    message = str(raised.value)
    assert message.startswith("--box ")
    assert told in message
    assert "\n" not in message
    assert any(word in message for word in ("write", "lower", "change"))


def test_what_is_not_said_is_as_by_default_and_the_text_reads_back() -> None:
    """A lower bound above the default's upper one goes up to the limit."""
    assert Box.parse("") == Box.parse(DEFAULT)
    assert Box.parse("k>=5,ndim==1,s==1").bounds["k"] == (5, LIMITS["k"][1])
    for text in ("k==3,n<=2", "k>=2", "a==0,bias==1"):
        assert Box.parse(str(Box.parse(text))) == Box.parse(text)
