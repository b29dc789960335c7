"""The sentence of a finding: the call in the API's own words, what came out, what should have, why, and who agrees."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan
from typing import Any

import numpy as np
import pytest

from harness import Case, Crop, Layer
from harness.judge.sentence import sentence
from harness.layer import Spelling
from harness.records import (
    VIEW,
    Asked,
    Disagreement,
    Expression,
    FirstDifference,
    Illegal,
    Kind,
    Observation,
    Oracle,
    Outcome,
    Resolved,
    Rule,
    Target,
)

CALL = "some.ConvTranspose1d(kernel_size=3, stride=(2,))(x)"
LAYER = Layer(1, 2, 3, 2, ndim=1)
CASE = Case(LAYER, batch=1, input_size=(4,))
RULE = Rule("stride must be positive", "https://example.org/stride")
ILLEGAL = Illegal("stride outside its domain", RULE)
DIFFERENCE = FirstDifference((0, 1, 5), -3.0, 4.5, "[1. -3.]", "[1. 4.5]")
OTHERS = ("a+eager", "b+jit")


def asked(answer: Resolved | Illegal | None = None, how: str = "in eager mode") -> Asked:
    """The case as it was put."""
    spelling = Spelling("some.ConvTranspose", {"stride": 2})
    target = Target("some.ConvTranspose", "eager")
    return Asked(target, CALL, Expression(spelling, (Crop(0, 0),)), answer or Resolved(LAYER), how=how)


def disagreement(kind: Kind, *, answer: Resolved | Illegal | None = None, **changes: Any) -> Disagreement:
    """A disagreement of this kind; observation fields and disagreement fields by name."""
    fields = set(Observation.__slots__)
    seen = {"outcome": Outcome.OK, **{name: changes.pop(name) for name in fields & set(changes)}}
    observation = Observation("some.ConvTranspose+eager", **seen)
    return Disagreement(
        **{"oracle": Oracle.AGREEMENT, "kind": kind, "asked": asked(answer), "observation": observation, **changes}
    )


def said(kind: Kind, agreeing: tuple[str, ...] = OTHERS, case: Case = CASE, **changes: Any) -> str:
    """The sentence on a disagreement of this kind."""
    return sentence(case, disagreement(kind, **changes), agreeing)


FACTS: list[tuple[Kind, dict[str, Any], tuple[str, ...]]] = [
    (Kind.SIZE, {"shape": (1, 2, 10), "expected_size": (9,)}, ("(1, 2, 10)", "(9,)")),
    (Kind.VALUE, {"first_difference": DIFFERENCE}, ("(0, 1, 5)", "4.5", "-3", "every order of summation")),
    (Kind.VALUE, {"bound_ratio": 12.34, "first_difference": DIFFERENCE}, ("12.3", "bound", "(0, 1, 5)")),
    (
        Kind.GRADIENT,
        {"first_difference": replace(DIFFERENCE, array="dweight")},
        ("gradient by the weight", "(0, 1, 5)", "4.5", "-3", "every order of summation"),
    ),
    (Kind.GRADIENT, {"bound_ratio": 12.34, "first_difference": DIFFERENCE}, ("gradient", "12.3", "bound")),
    (Kind.DTYPE, {"dtype": "float64"}, ("float64",)),
    (
        Kind.REJECTION,
        {"outcome": Outcome.REJECTED, "error": "ValueError: no stride"},
        ("raises", "ValueError: no stride"),
    ),
    (
        Kind.ACCEPTANCE,
        {"answer": ILLEGAL, "oracle": Oracle.CONTRACT, "shape": (1, 2, 9), "rule": RULE},
        ("accepted", "(9,)", RULE.text, RULE.url),
    ),
    (
        Kind.ACCEPTANCE,
        {"oracle": Oracle.CONTRACT, "shape": (1, 2, 9), "rule": RULE, "contrast": "only sizes in {7, 8}"},
        ("accepted", "(9,)", RULE.text, "{7, 8}"),
    ),
    (
        Kind.SHAPE_INFERENCE,
        {"oracle": Oracle.CONTRACT, "shape": (1, 2, 10), "contrast": "eagerly it is (9,)"},
        ("infers", "(10,)", "eagerly it is (9,)"),
    ),
    (
        Kind.SHAPE_INFERENCE,
        {
            "oracle": Oracle.CONTRACT,
            "outcome": Outcome.REJECTED,
            "error": "TypeError: no",
            "contrast": "eagerly it is (9,)",
        },
        ("raises", "TypeError: no", "eagerly it is (9,)"),
    ),
    (
        Kind.CRASH,
        {"outcome": Outcome.CRASHED, "exit": "SIGABRT", "log_tail": "noise\nCheck failed: a == b (1 vs. 2)\n"},
        ("ends the process", "SIGABRT", "Check failed: a == b (1 vs. 2)"),
    ),
    (Kind.HANG, {"outcome": Outcome.TIMED_OUT, "exit": "no answer in 180 s"}, ("no answer in 180 s",)),
    (Kind.MEMORY, {"outcome": Outcome.OUT_OF_MEMORY, "error": "MemoryError: 3 GB"}, ("memory", "MemoryError: 3 GB")),
    (Kind.NONDETERMINISM, {}, ("gave other numbers", "second time")),
]


@pytest.mark.parametrize(
    ("kind", "changes", "facts"), FACTS, ids=[f"{i}-{kind.value}" for i, (kind, _, _) in enumerate(FACTS)]
)
def test_every_kind_says_its_facts_on_one_line(kind: Kind, changes: dict[str, Any], facts: tuple[str, ...]) -> None:
    """The call comes first, in the API's own words, with its input and mode; then what is wrong; then a full stop."""
    text = said(kind, **changes)
    assert text.startswith(CALL)
    for fact in ("float32", "(4,)", "in eager mode", *facts):
        assert fact in text
    assert text.endswith(".")
    assert "\n" not in text


def test_the_batch_is_said_where_it_matters() -> None:
    """One of batch 1 needs no word."""
    assert "batch" not in said(Kind.DTYPE, dtype="float64")
    assert "batch 3" in said(Kind.DTYPE, dtype="float64", case=CASE.replace(batch=3))


def test_a_mode_without_words_leaves_no_gap() -> None:
    """A third party's target has a call and no mode to speak of."""
    one = disagreement(Kind.DTYPE, dtype="float64")
    text = sentence(CASE, replace(one, asked=asked(how="")), ())
    assert "  " not in text
    assert text.startswith(CALL)


def test_who_agrees_is_said_up_to_a_few() -> None:
    """One in the singular, several in the plural, many by number."""
    one, two = said(Kind.DTYPE, ("a+eager",), dtype="float64"), said(Kind.DTYPE, dtype="float64")
    assert "a+eager gives" in one
    assert "a+eager, b+jit give " in two
    many = said(Kind.DTYPE, tuple(f"api{i}+eager" for i in range(9)), dtype="float64")
    assert "api0+eager" in many
    assert "api8+eager" not in many
    assert "5 more" in many


def test_nobody_agrees_where_nobody_does() -> None:
    """No empty list, no comma."""
    text = said(Kind.DTYPE, (), dtype="float64")
    assert "gives the" not in text
    assert not any(name in text for name in OTHERS)


def test_others_reject_what_is_forbidden() -> None:
    """They do not give the reference's answer: there is none."""
    text = said(Kind.ACCEPTANCE, answer=ILLEGAL, oracle=Oracle.CONTRACT, shape=(1, 2, 9), rule=RULE)
    assert "a+eager, b+jit reject" in text
    assert "a+eager rejects" in said(Kind.CRASH, ("a+eager",), answer=ILLEGAL, exit="SIGABRT")


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (Kind.ACCEPTANCE, {"rule": RULE, "contrast": "only sizes in {7, 8}"}),
        (Kind.SHAPE_INFERENCE, {"shape": (1, 2, 10), "contrast": "eagerly it is (9,)"}),
    ],
)
def test_others_have_no_say_in_an_apis_own_affairs(kind: Kind, changes: dict[str, Any]) -> None:
    """A size against the own forward rule, one mode against another: giving the same size is no agreement there."""
    text = said(kind, oracle=Oracle.CONTRACT, **changes)
    assert not any(name in text for name in OTHERS)


def test_long_errors_are_cut_at_a_word_and_undecorated() -> None:
    """A sentence stays one: the whole error is kept elsewhere."""
    error = "ValueError: \x1b[31m{{node Conv}} " + "word " * 500
    text = said(Kind.REJECTION, outcome=Outcome.REJECTED, error=error)
    assert len(text) < 600
    assert "\x1b" not in text
    assert "node Conv" not in text
    assert "word ..." in text


def test_a_crash_without_last_words_names_the_signal_alone() -> None:
    """No empty parentheses, and no noise of the log."""
    text = said(Kind.CRASH, outcome=Outcome.CRASHED, exit="SIGSEGV", log_tail="just noise")
    assert "SIGSEGV" in text
    assert "()" not in text
    assert "noise" not in text


# Gradients ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("array", "by"), [("dx", "the input"), ("dweight", "the weight"), ("dbias", "the bias")])
def test_a_gradient_is_told_by_what_it_is_taken_by(array: str, by: str) -> None:
    """In words: nobody else calls it dx."""
    text = said(Kind.GRADIENT, (), first_difference=replace(DIFFERENCE, array=array), cause=f"{array} differs")
    assert text == (
        f"{CALL} on a float32 input of size (4,) in eager mode returns a gradient by {by} that differs from the "
        "reference on numbers that every order of summation adds exactly: element (0, 1, 5) is 4.5 instead of -3."
    )


def test_gradients_of_other_shapes_are_told_by_their_shapes() -> None:
    """Theirs and the arrays'; no reference and no sum has a part in it."""
    contrast = "gradients of shapes (1, 1, 4) for arrays of (1, 1, 4), (1, 2, 3), (2,)"
    text = said(Kind.GRADIENT, (), contrast=contrast, cause="a gradient has not the shape of its array")
    assert text == f"{CALL} on a float32 input of size (4,) in eager mode returns {contrast}."


def test_a_gradient_without_a_first_difference_is_taken_by_its_inputs() -> None:
    """Nothing is made up."""
    assert "a gradient by its inputs that differs" in said(Kind.GRADIENT)


# Causes ------------------------------------------------------------------------------------------------------------

NUMBERS = np.zeros(1)
EXPLAINED: list[tuple[Kind, dict[str, Any]]] = [
    (Kind.VALUE, {"first_difference": DIFFERENCE}),
    (Kind.SIZE, {"shape": (1, 2, 10), "expected_size": (9,)}),
]


@pytest.mark.parametrize(("kind", "changes"), EXPLAINED)
def test_the_cause_is_told_by_its_text(kind: Kind, changes: dict[str, Any]) -> None:
    """The detail has the numbers; where there is none, the name; after what is wrong and before who agrees."""
    detailed = said(
        kind,
        cause="shifted",
        detail="shifted by (0, 1), the rest zero",
        other_causes=(("bias missing", "no"),),
        **changes,
    )
    assert "; every element is explained by: shifted by (0, 1), the rest zero; a+eager, b+jit give" in detailed
    assert "bias missing" not in detailed
    named = said(kind, cause="bias missing", values=NUMBERS, **changes)
    assert "; every element is explained by: bias missing; a+eager" in named
    assert "no cause" not in named


@pytest.mark.parametrize(("kind", "changes"), EXPLAINED)
def test_that_no_cause_explains_the_numbers_is_said_where_they_were_compared(
    kind: Kind, changes: dict[str, Any]
) -> None:
    """Without numbers there was nothing to explain."""
    assert "; no cause that we know explains it; a+eager" in said(kind, values=NUMBERS, **changes)
    text = said(kind, **changes)
    assert "cause" not in text
    assert "explained" not in text


@pytest.mark.parametrize(("kind", "changes"), EXPLAINED)
def test_a_view_of_an_input_is_told_as_what_it_is(kind: Kind, changes: dict[str, Any]) -> None:
    """It explains no element by itself: that the answer is no array of its own is the fault, and is said."""
    text = said(kind, cause=VIEW, values=NUMBERS, **changes)
    assert "; it returned a view of an input, not numbers of its own; a+eager, b+jit give" in text
    assert "explain" not in text


@pytest.mark.parametrize("kind", [Kind.GRADIENT, Kind.DTYPE, Kind.REJECTION, Kind.ACCEPTANCE])
def test_what_is_no_value_has_no_cause_in_its_sentence(kind: Kind) -> None:
    """The cause of a gradient is the part that differs, that of an acceptance the rule: both are said already."""
    text = said(kind, cause="dx differs", detail="dx differs", values=NUMBERS, rule=RULE, shape=(1, 2, 9), error="no")
    assert "dx differs" not in text
    assert "cause" not in text


# Special values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "observed", "shown"),
    [
        (inf, 4.5, "is 4.5 instead of inf"),
        (-3.0, nan, "is nan instead of -3"),
        (nan, 0.0, "is 0 instead of nan"),
        (inf, -inf, "is -inf instead of inf"),
    ],
)
@pytest.mark.parametrize("kind", [Kind.VALUE, Kind.GRADIENT])
def test_misplaced_infinities_are_not_called_sums(kind: Kind, expected: float, observed: float, shown: str) -> None:
    """What differs is where NaN and infinities stand, not a rounding."""
    first = replace(DIFFERENCE, expected=expected, observed=observed)
    text = said(kind, first_difference=first, max_abs_error=inf)
    assert f"in where NaN and infinities stand: element (0, 1, 5) {shown}" in text
    assert "summation" not in text


def test_a_finite_difference_among_special_values_is_one_of_exact_numbers() -> None:
    """They stand among integers."""
    text = said(Kind.VALUE, case=CASE.replace(values="special"), first_difference=DIFFERENCE)
    assert "every order of summation adds exactly" in text


def test_an_infinite_error_of_reals_is_so_many_bounds() -> None:
    """The ratio says it."""
    first = replace(DIFFERENCE, observed=nan)
    text = said(Kind.VALUE, first_difference=first, bound_ratio=inf)
    assert "by inf times the rounding-error bound: element (0, 1, 5) is nan instead of -3" in text
