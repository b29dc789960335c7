"""Learned conditions: what is planted comes back, chance is borne, what cannot be said is not said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from harness import Case, Layer, Spelling
from harness.campaign.lattice import reductions
from harness.campaign.learning import Budget, Learned, learn
from harness.campaign.learning.neighbours import Bounds, bounds_around, neighbours
from harness.campaign.learning.rows import beyond, case_of, columns, multiply_adds, row_of
from harness.campaign.learning.vocabulary import vocabulary
from harness.campaign.shrink import shrink
from harness.frameworks.base import Api
from harness.judge.condition import Condition, Facts
from harness.records import Support

#: a case on which most conditions hold, so that each is reduced from it to a minimal case of its own
RICH = Case(
    Layer(18, 18, (8, 1, 3), (3, 2, 2), (5, 1, 1), (2, 3, 1), (2, 4, 1), groups=2),
    batch=3,
    input_size=(9, 1, 4),
)


class ThirdParty(Api):
    """Declines what a third party's target declines by default."""

    name = "third party"


class Planted:
    """A fault that shows where a condition holds, but for one case in so many by chance; it counts what it is asked.

    A ``stubborn`` fault hides with every seed in the same layers.
    """

    def __init__(self, text: str, *, hidden: int = 0, stubborn: bool = False, declines: bool = True) -> None:
        self.condition = Condition.parse(text)
        self.asked: list[Case] = []
        self.batches = 0
        self._hidden = hidden
        self._stubborn = stubborn
        self._declines = declines

    def holds(self, case: Case) -> bool:
        """The planted condition."""
        return self.condition.holds(facts(case))

    def shows(self, case: Case) -> bool:
        """Whether the fault is seen."""
        drawn = replace(case, seed=0) if self._stubborn else case
        by_chance = self._hidden and int(drawn.content_hash[:8], 16) % self._hidden == 0
        return self._answers(case) and self.holds(case) and not by_chance

    def shown(self, cases: Sequence[Case]) -> list[Callable[[], bool]]:
        """The same of several cases, when it is looked at."""
        return [partial(self.shows, case) for case in cases]

    def __call__(self, cases: Sequence[Case]) -> list[bool | None]:
        """One batch of answers."""
        self.asked += cases
        self.batches += 1
        return [self.shows(case) if self._answers(case) else None for case in cases]

    def _answers(self, case: Case) -> bool:
        return not self._declines or ThirdParty().limit(case) is None


def facts(case: Case) -> Facts:
    """The facts of a case that asks a layer."""
    return Facts.of(case, case.layer)


def learned(planted: Planted, start: Case = RICH, *, budget: Budget | None = None) -> Learned | None:
    """What is learned from the minimal case below a case."""
    assert planted.shows(start)
    minimal = shrink(start, planted.shown, reductions)
    return learn(minimal, facts=facts, ask=planted, fresh=[], seed=1, budget=budget)


def around(minimal: Case, count: int = 2000) -> list[Case]:
    """Cases around one and around a rich one, drawn with another seed than learning has."""
    random = np.random.default_rng(99)
    rows = np.array([row_of(minimal), row_of(RICH)] * (count // 2))
    made = neighbours(rows, random, bounds_around(rows[0]), changes=random.integers(1, 8, len(rows)))
    cases = (case_of(row, values="integers", seed=0) for row in made)
    return [case for case in cases if case is not None and ThirdParty().limit(case) is None]


def differing(planted: Planted, found: Learned | None) -> list[Case]:
    """Cases on which the learned condition says something else than the planted one."""
    assert found is not None
    minimal = shrink(RICH, planted.shown, reductions)
    return [case for case in around(minimal) if found.condition.holds(facts(case)) != planted.holds(case)]


@pytest.mark.parametrize(
    "text",
    [
        "any((d > 1) & (s > 1))",
        "max(d) > 1 and max(s) > 1",
        "g > 1 or max(d) > 1",
        "max(k) > max(s)",
        "batch * in_channels > 12",
        "in_channels // g * k[0] > 8",
    ],
)
def test_what_is_planted_comes_back(text: str) -> None:
    """The condition says the same on thousands of cases, at a price that a campaign can pay."""
    planted = Planted(text)
    found = learned(planted)
    assert not differing(planted, found)
    assert found is not None
    assert found.asked == len(planted.asked) <= Budget().asked
    assert found.rounds == planted.batches <= Budget().rounds


@pytest.mark.parametrize(
    "text",
    [
        "any(p >= e)",
        "in_channels >= 16",
        "any(a >= s - 1)",
        "any((n > 1) & (s != s[0]))",
        "any((p > 0) & (s > 1) & (k > 1))",
    ],
)
def test_the_text_is_what_a_maintainer_would_write(text: str) -> None:
    """Thresholds where a thing begins, round numbers, the shortest words."""
    planted = Planted(text)
    minimal = shrink(RICH, planted.shown, reductions)
    found = learn(minimal, facts=facts, ask=planted, fresh=[], seed=3)
    assert found is not None
    assert found.condition.text == text


BEYOND = Case(
    Layer(8, 4, (5, 4), (2, 2), (1, 1), (1, 1), groups=2),
    batch=2,
    input_size=(12, 15),
)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("m[-1] % 8 == 7", BEYOND.replace(input_size=(12, 19))),
        ("any((n - 1) * s > 16)", BEYOND),
        ("any(p > e // 2)", BEYOND.replace(layer=Layer(1, 1, (2,), padding=(2,)), input_size=(9,))),
        ("max(n) > 2 * min(n)", BEYOND.replace(input_size=(5, 11))),
        ("any((p == 1) & (s == 2) & (k == 5))", BEYOND),
        ("bias and g > 1 and max(s) > 1 and ndim == 2", BEYOND),
    ],
)
def test_rests_spans_halves_ratios_numbers_and_four_atoms_can_be_said(text: str, start: Case) -> None:
    """Each was beyond what could be said, or was said with an exception."""
    planted = Planted(text)
    assert planted.shows(start)
    minimal = shrink(start, planted.shown, reductions)
    found = learn(minimal, facts=facts, ask=planted, fresh=[], seed=1)
    assert found is not None
    assert [case for case in around(minimal) if found.condition.holds(facts(case)) != planted.holds(case)] == []


def test_the_support_is_counted_on_either_side() -> None:
    """Everything fails inside and passes outside, also among the cases that had no part in the choice."""
    found = learned(Planted("max(s) > 2"))
    assert found is not None
    for support in (found.support, found.fresh):
        assert support.failing == support.inside >= 250
        assert support.passing == support.outside >= 250
    assert str(found) == f"max(s) > 2: {found.support}"
    assert str(Support(412, 412, 1900, 1900)) == "fails 412 of 412, passes 1,900 of 1,900 outside"


def test_a_fault_that_is_hidden_by_chance_now_and_then_is_borne() -> None:
    """One case in a hundred inside passes; the support says so, and the condition is the one without chance."""
    planted = Planted("any(a >= s)", hidden=100)
    found = learned(planted)
    assert not differing(planted, found)
    assert found is not None
    assert 0.95 * found.support.inside < found.support.failing < found.support.inside
    assert found.support.passing == found.support.outside


@pytest.mark.parametrize("stubborn", [False, True])
@pytest.mark.parametrize("text", ["max(k) > 1", "any(p > 0) and max(k) > 1"])
def test_a_fault_that_is_often_hidden_has_the_simplest_condition(text: str, stubborn: bool) -> None:
    """One case in seven inside passes, with some numbers or with any: no more and no less is said, and all is told."""
    planted = Planted(text, hidden=7, stubborn=stubborn)
    found = learned(planted)
    assert not differing(planted, found)
    assert found is not None
    assert 0.75 * found.support.inside < found.support.failing < 0.95 * found.support.inside
    assert found.support.passing == found.support.outside


def test_a_fault_that_is_hidden_half_the_time_has_no_condition() -> None:
    """What passes as often as it fails is no noise."""
    planted = Planted("max(k) > 1", hidden=2, stubborn=True)
    start = next(case for case in around(RICH) if planted.shows(case))
    assert learned(planted, start) is None


def test_what_fails_at_random_has_no_condition() -> None:
    """A target that fails every other case, whatever is asked, is not explained."""
    minimal = Case(Layer(ndim=1), input_size=1)

    def flaky(cases: Sequence[Case]) -> list[bool | None]:
        return [len(cases) == 1 or case.content_hash[0] in "01234567" for case in cases]

    assert learn(minimal, facts=facts, ask=flaky, fresh=[], budget=Budget(asked=500, rounds=4)) is None


def test_a_minimal_case_that_does_not_show_again_has_no_condition() -> None:
    """Nothing is learned from what is not there, and hardly anything is asked."""
    planted = Planted("g > 7")
    assert learn(Case(Layer(ndim=1), input_size=1), facts=facts, ask=planted, fresh=[]) is None
    assert len(planted.asked) == 1


def test_a_case_in_an_apis_own_words_has_no_condition() -> None:
    """Nobody is asked, for its neighbours are spellings."""
    case = Case.spelled(Spelling("torch.nn.ConvTranspose", {"kernel_size": 2}), input_size=(3,))
    planted = Planted("g > 1")
    assert learn(case, facts=facts, ask=planted, fresh=[]) is None
    assert not planted.asked


def test_the_budget_is_kept() -> None:
    """Neither more cases nor more batches are asked than allowed."""
    planted = Planted("any((d > 1) & (s > 1))")
    learned(planted, budget=Budget(asked=300, rounds=4))
    assert len(planted.asked) <= 300
    assert planted.batches <= 4


def test_the_same_answers_give_the_same_condition() -> None:
    """Nothing but the seed decides what is drawn."""
    first, second = Planted("max(k) > 4"), Planted("max(k) > 4")
    small = Budget(asked=400)
    assert str(learned(first, budget=small)) == str(learned(second, budget=small))
    assert first.asked == second.asked


def test_a_framework_is_asked_beyond_pytorchs_rule_and_a_third_party_soon_no_more() -> None:
    """What is always declined is given up; what is answered takes part."""
    full, third = Planted("max(d) > 1", declines=False), Planted("max(d) > 1")
    for one in (full, third):
        learned(one, budget=Budget(asked=500))
    beyond_the_rule = [sum(ThirdParty().limit(case) is not None for case in one.asked) for one in (full, third)]
    assert beyond_the_rule[0] > beyond_the_rule[1]
    assert beyond_the_rule[1] < 0.1 * len(third.asked)


def test_what_was_seen_before_counts() -> None:
    """Cases with known answers are data: a failing one is not asked again."""
    planted = Planted("g > 1")
    minimal = shrink(RICH, planted.shown, reductions)
    seen = [(case, planted.shows(case)) for case in around(minimal, 400)]
    found = learn(minimal, facts=facts, ask=planted, fresh=[], seen=seen)
    assert found is not None
    assert found.condition.text == "g > 1"
    assert found.support.inside + found.support.outside > len(seen)


def test_every_atom_means_what_its_text_says() -> None:
    """The matrix that is searched agrees with the condition language, atom by atom."""
    cases = around(RICH, 300)[:40]
    rows = np.array([row_of(case) for case in cases])
    words = vocabulary(rows[:1])
    atoms, _ = words.evaluate(rows)
    known = [facts(case) for case in cases]
    for at in range(0, len(words.atoms), 7):
        condition = Condition.parse(words.atoms[at].text)
        assert [condition.holds(one) for one in known] == atoms[at].tolist(), condition.text


def test_a_row_is_a_case_and_back() -> None:
    """Nothing of the question is lost."""
    for case in around(RICH, 200):
        row = row_of(case)
        assert row is not None
        again = case_of(row, values=case.values, seed=case.seed)
        assert again == case
        of = columns(np.array([row]))
        assert tuple(of.axes["m"][: case.ndim, 0]) == facts(case).known["m"]
        assert of.single["in_channels"][0] == facts(case).known["in_channels"]


def test_an_empty_case_is_no_row() -> None:
    """Nothing is to be seen in it."""
    assert row_of(Case(Layer(ndim=1), batch=0, input_size=3)) is None


def test_neighbours_keep_their_bounds() -> None:
    """Within the work bound, with some output, and without the kinds that are declined."""
    rows = np.array([row_of(RICH)] * 3000)
    bounds = Bounds(int(rows[0, -1]), 2**20, frozenset(range(1, 16)))
    made = neighbours(rows, np.random.default_rng(5), bounds, changes=4)
    assert len(made) > 1000
    assert multiply_adds(made).max() <= 2**20
    assert not beyond(made, bounds.dtype).any()
    assert all(case_of(row, values="integers", seed=0) is not None for row in made[::50])
