"""The condition language: what it means is what Python means, what it refuses it refuses at the right column."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from packaging.version import Version

from harness import Case, Layer
from harness.errors import InvalidField, UsageError
from harness.judge.condition import MAX_DEPTH, MAX_LENGTH, Condition, ConditionError, Facts
from harness.layer import Spelling

PLANE = Layer(2, 4, (3, 4), (2, 1), (1, 0), (2, -1), (3, 1), groups=2, bias=False)
PLANE_CASE = Case(PLANE, batch=2, input_size=(4, 5), dtype="float16")
PLANE_FACTS = Facts.of(PLANE_CASE, PLANE, mode="xla", version="2.13.0+cpu")

LINE = Layer(1, 1, 2, 2, 0, 0, 1, ndim=1)
LINE_FACTS = Facts.of(Case(LINE, input_size=(3,)), LINE, mode="eager", version="2.14.0rc1")

CUBE = Layer(1, 3, (1, 2, 3), (3, 1, 2), (0, 2, 1), (1, 0, 0), 2)
CUBE_FACTS = Facts.of(Case(CUBE, input_size=5), CUBE, mode="compile", version="3.0")

ILLEGAL = Spelling("some.conv_transpose", {"stride": 0})
MEANINGLESS = Facts.of(Case.spelled(ILLEGAL, input_size=(4, 5), batch=3), None)
#: explaining a failure takes longer than finding it
UNEXPLAINED = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)

EVERY = (PLANE_FACTS, LINE_FACTS, CUBE_FACTS, MEANINGLESS)


def holds(text: str, facts: Facts = PLANE_FACTS) -> bool:
    """Whether a condition holds, by default for a plane."""
    return Condition.parse(text).holds(facts)


def refused(text: str) -> ConditionError:
    """The error of a text that is no condition."""
    with pytest.raises(ConditionError) as caught:
        Condition.parse(text)
    return caught.value


class Release:
    """A version for Python's own evaluator: it compares with texts by PEP 440, whatever it was built for."""

    def __init__(self, version: Version) -> None:
        self.release = Version(version.public)

    def __eq__(self, text: object) -> bool:
        return self.release == Version(str(text))

    def __lt__(self, text: str) -> bool:
        return self.release < Version(text)

    def __le__(self, text: str) -> bool:
        return self.release <= Version(text)

    def __gt__(self, text: str) -> bool:
        return self.release > Version(text)

    def __ge__(self, text: str) -> bool:
        return self.release >= Version(text)

    __hash__ = None  # type: ignore[assignment]  # equal to texts, which have another hash


def by_python(text: str, facts: Facts) -> bool:
    """What Python and NumPy make of the same text; False where a division or an index fails."""
    names: dict[str, Any] = {"any": any, "all": all, "max": max, "min": min, "__builtins__": {}}
    for name, value in facts.known.items():
        names[name] = np.array(value) if isinstance(value, tuple) else value
        if isinstance(value, Version):
            names[name] = Release(value)
    with np.errstate(all="raise"):
        try:
            return bool(eval(text.strip(), names))
        except (ArithmeticError, IndexError, NameError):
            return False


def read(text: str) -> Condition | ConditionError:
    """The condition, or why it is none."""
    try:
        return Condition.parse(text)
    except ConditionError as error:
        return error


# The grammar once more, written from the rules of the language and not from its code.
ARITHMETIC = st.sampled_from(["+", "-", "*", "/", "//", "%"])
COMPARISON = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
IN = st.sampled_from(["in", "not in"])
EXTREME = st.sampled_from(["max", "min"])
INDEX = st.integers(-3, 2)


def written(form: str, *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    """Texts of one form."""
    return st.tuples(*parts).map(lambda values: form.format(*values))


NUMBER: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["ndim", "batch", "g", "in_channels", "out_channels", "0", "1", "2", "0.5", "s[0]", "hi[-1]"]),
        written("({} {} {})", NUMBER, ARITHMETIC, NUMBER),
        written("(-{})", NUMBER),
        written("{}({})", EXTREME, NUMBERS),
        written("{}({}, {})", EXTREME, NUMBER, NUMBER),
        written("({})[{}]", NUMBERS, INDEX),
    )
)
NUMBERS: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["k", "s", "p", "a", "d", "n", "m", "e", "lo", "hi"]),
        written("({} {} {})", NUMBERS, ARITHMETIC, NUMBERS | NUMBER),
        written("({} {} {})", NUMBER, ARITHMETIC, NUMBERS),
        written("(-{})", NUMBERS),
    )
)
TEXT_TRUTHS = [
    'mode == "xla"',
    '"eager" != mode',
    'mode in ("xla", "compile")',
    'dtype not in ["float16"]',
    'version < "2.14"',
    '"2.13.0" == version',
    '"2.13" <= version < "3"',
    'version in ("2.13.0", "3")',
]
TRUTH: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["bias", "True", "False", *(f"({text})" for text in TEXT_TRUTHS)]),
        written("({} {} {})", NUMBER, COMPARISON, NUMBER),
        written("({} {} {} {} {})", NUMBER, COMPARISON, NUMBER, COMPARISON, NUMBER),
        written("({} {} {})", TRUTH, st.sampled_from(["and", "or", "&", "|", "==", "!="]), TRUTH),
        written("(not {})", TRUTH | NUMBER),
        written("{}({})", st.sampled_from(["any", "all"]), TRUTHS | NUMBERS),
        written("({})[{}]", TRUTHS, INDEX),
        written("({} {} ({}, {}))", NUMBER, IN, NUMBER, NUMBER),
        written("({} {} {})", NUMBER, IN, NUMBERS),
    )
)
TRUTHS: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        written("({} {} {})", NUMBERS, COMPARISON, NUMBERS | NUMBER),
        written("({} {} {})", NUMBER, COMPARISON, NUMBERS),
        written("({} {} {})", TRUTHS, st.sampled_from(["&", "|", "==", "!="]), TRUTHS | TRUTH),
        written("(~{})", TRUTHS),
    )
)
EITHER = TRUTH | NUMBER
CONDITIONS = st.one_of(TRUTH, NUMBER, written("{} and {} or {}", EITHER, EITHER, EITHER), written("not {}", EITHER))


@settings(max_examples=100, deadline=None, phases=UNEXPLAINED)
@given(CONDITIONS.filter(lambda text: len(text) <= MAX_LENGTH))
@example("any((a >= s) & (a < d))")
@example("max(k) and ndim > 1 or 2")
@example("not any(n / (k - 3) > 1)")
def test_a_condition_means_what_python_makes_of_it(text: str) -> None:
    """Python's own eval, with NumPy arrays for the axes, comes to the same truth on one, two and three axes."""
    condition = Condition.parse(text)
    for facts in EVERY[:3]:
        assert condition.holds(facts) is by_python(text, facts), facts


WORDS = """k s a d n ndim bias dtype mode version 0 1 2 1.5 -1 'xla' "2.13" ( ( ( ) ) ) [ ] , + - * / // % ** == !=
 < <= > >= & | ~ and or not in is any max min lambda : := . if else for x é # \\ a>s ndim>1 any(a) (d==1)"""


@settings(max_examples=300, deadline=None, phases=UNEXPLAINED)
@given(st.lists(st.sampled_from(WORDS.split()), max_size=12).map(" ".join))
def test_what_is_accepted_means_what_python_makes_of_it(text: str) -> None:
    """Whatever is thrown together is refused, or is a condition that Python evaluates to the same truth."""
    condition = read(text)
    if isinstance(condition, Condition):
        for facts in EVERY[:3]:
            assert condition.holds(facts) is by_python(text, facts), facts
    else:
        assert 1 <= condition.column <= len(text) + 1


@settings(max_examples=300, deadline=None, phases=UNEXPLAINED)
@given(st.text(max_size=60))
def test_any_text_is_a_condition_or_an_error_of_one_line(text: str) -> None:
    """Lone surrogates, control characters, any script: never another exception, never a second line."""
    condition = read(text)
    if isinstance(condition, Condition):
        assert {condition.holds(facts) for facts in EVERY} <= {True, False}
    else:
        assert str(condition).isprintable()
        assert 1 <= condition.column <= len(text) + 1


@pytest.mark.parametrize(
    ("text", "plane", "line"),
    [
        ("any(a >= s) and max(d) > 1", True, False),
        ("any((a >= s) & (a < d))", True, False),
        ('mode == "xla" and ndim > 1', True, False),
        ('dtype in ("float16", "bfloat16")', True, False),
        ('version < "2.14"', True, True),
        ("all(k % 2 == 0)", False, True),
        ("not bias", True, False),
        ("  any(a)  ", True, False),
        ("m[0] == 13", True, False),
        ("all(lo == p) and all(hi == p - a)", True, True),
        ("all(e == d * (k - 1) + 1)", True, True),
        ("in_channels * 2 == out_channels == 4 and g == batch == 2", True, False),
        ("1 in s", True, False),
        ("ndim > 1 # a remark", True, False),
    ],
)
def test_examples(text: str, plane: bool, line: bool) -> None:
    """The examples of the documentation, and every name, on a plane and on a line."""
    assert (holds(text, PLANE_FACTS), holds(text, LINE_FACTS)) == (plane, line)


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ('version < "2.14"', True),
        ('version < "2.13.0"', False),
        ('version == "2.13"', True),
        ('version <= "2.13.0"', True),
        ('version > "2.9"', True),
        ('"2.9" < version < "2.10"', False),
        ('version in ("2.12", "2.13")', True),
        ('version not in ("2.12", "2.13")', False),
    ],
)
def test_versions_compare_by_pep_440(text: str, truth: bool) -> None:
    """2.13.0+cpu is 2.13, is above 2.9 and below 2.14: the local label says how it was built, not which it is."""
    assert holds(text) is truth


def test_a_candidate_comes_before_its_release() -> None:
    """2.14.0rc1 is before 2.14."""
    assert holds('version < "2.14"', LINE_FACTS)


@pytest.mark.parametrize("version", [None, "", "abc", "2.13.x"])
def test_what_is_no_version_is_unknown(version: str | None) -> None:
    """A framework whose version is no version by PEP 440 is neither before nor after one."""
    facts = Facts.of(PLANE_CASE, PLANE, version=version)
    assert not holds('version < "9"', facts)
    assert not holds('version >= "0"', facts)
    assert not holds('version != "2"', facts)


@pytest.mark.parametrize(
    "text",
    ["any(a >= s)", "not any(a >= s)", "bias", "not bias", "g == 1", "g != 1", 'mode != "eager"', "max(m) < 0 or bias"],
)
def test_what_is_unknown_does_not_hold(text: str) -> None:
    """Nothing is true of the layer of a call without a meaning, nor of a mode that is not said, not even under not."""
    assert not holds(text, MEANINGLESS)


def test_what_is_known_without_a_layer() -> None:
    """Sizes, axes, batch and dtype are the case's own."""
    assert holds('n[1] == 5 and ndim == 2 and batch == 3 and dtype == "float32"', MEANINGLESS)


@pytest.mark.parametrize(
    ("text", "truth"),
    [("s[1] > 0", False), ("not s[1] > 0", False), ("ndim > 1 and s[1] > 0", False), ("ndim == 1 or s[1] > 9", True)],
)
def test_an_axis_that_is_not_there(text: str, truth: bool) -> None:
    """A condition that reaches for it does not hold; one that asks ndim first does not reach for it."""
    assert holds(text, LINE_FACTS) is truth


@pytest.mark.parametrize(
    "text",
    [
        "any(k / (s - s) >= 0)",
        "any(k // (s - s) >= 0)",
        "not any(k % (s - s) > 0)",
        "1 / 0 > 0",
        "not 1 // 0",
        "1.5 % 0 == 0",
        "max(n) * " + " * ".join(["2147483648"] * 40) + " / 3 > 1",
        "0.5 * " + "(" + " * ".join(["2147483648"] * 40) + ") > 1",
    ],
)
def test_division_by_zero_and_overflow_do_not_hold(text: str) -> None:
    """Without a warning (they are errors in these tests), and under a not as well."""
    assert not holds(text)


def test_integers_do_not_wrap() -> None:
    """NumPy's would be negative after this multiplication."""
    assert holds("max(n * 2147483648 * 2147483648) > 1")


@pytest.mark.parametrize(("text", "names"), [("1 < 2", set()), ("any((a >= s) & (s > 1)) or bias", {"a", "s", "bias"})])
def test_names_are_those_that_are_used(text: str, names: set[str]) -> None:
    """Each once; what is on the far side of an or counts."""
    condition = Condition.parse(text)
    assert condition.names == names
    assert condition.text == text


def test_conditions_are_equal_by_their_text() -> None:
    """They are values: two readings of one text are the same."""
    assert Condition.parse("bias") == Condition.parse("bias") != Condition.parse("not bias")
    assert len({Condition.parse("bias"), Condition.parse("bias")}) == 1


def test_a_layer_with_other_axes_is_a_fault() -> None:
    """Facts of a case and a layer that do not belong together are not made."""
    with pytest.raises(InvalidField, match="input_size"):
        Facts.of(PLANE_CASE, LINE)


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("any(a >= q)", 10, "'q' is not a name here; known are k, s, p,"),
        ("  any(q)", 7, "'q' is not"),
        ("mode == 'é€😀' and q", 19, "'q' is not"),
        ("any(a >= s) and stride > 1", 17, "'stride' is not a name"),
        ("", 1, "is empty"),
        ("   ", 4, "is empty"),
        ("any(a >= s", 4, "never closed"),
        ("ndim >", 7, "not a Python expression"),
        ("mode = 'xla'", 6, "not a Python expression"),
        ("ndim > 1\nand bias", 9, "one line"),
        ("ndim > 1 and\rbias", 13, "one line"),
        ("ndim > \x001", 8, "one line"),
        ("import os", 1, "not a Python expression"),
        ("bias; bias", 5, "not a Python expression"),
    ],
)
def test_errors_point_at_the_column(text: str, column: int, said: str) -> None:
    """Counted from 1 in characters of the text as it was given."""
    error = refused(text)
    assert (error.text, error.column) == (text, column)
    assert said in error.problem
    assert str(error) == f"condition {text!r}: column {column}: {error.problem}"
    assert isinstance(error, UsageError)


@pytest.mark.parametrize(
    ("text", "column", "remedy"),
    [
        ("a >= s", 1, "any() or all()"),
        ("a >= s and d > 1", 1, "any() or all()"),
        ("bias and d > 1", 10, "any() or all()"),
        ("bias or (a >= s)", 10, "any() or all()"),
        ("ndim > 0 or (bias and (a >= s))", 24, "any() or all()"),
        ("not (a >= s)", 6, "any() or all()"),
        ("a", 1, "any() or all()"),
        ("-a", 1, "any() or all()"),
        ("1 < n < 5", 1, "(1 < n) & (n < 5)"),
        ("any(1 < n < 5)", 5, "(1 < n) & (n < 5)"),
        ("any(a >= s & a < d)", 10, "put each comparison in parentheses"),
        ("ndim > 1 & bias", 8, "put each comparison in parentheses"),
        ("n in (1, 2)", 1, "a number in a list"),
        ("max(k, s) > 1", 5, "several numbers"),
    ],
)
def test_an_ambiguous_truth_is_refused_with_a_remedy(text: str, column: int, remedy: str) -> None:
    """Found when it is read, also where a short circuit would not reach it, and also if one axis would do."""
    error = refused(text)
    assert error.column == column
    assert remedy in error.problem


@pytest.mark.parametrize(
    "text",
    [
        "k ** 2 > 1",
        "2 ** 2 ** 2 ** 2 ** 2 > 1",
        "any(k @ s)",
        "any(k << s)",
        "any((a > s) ^ (d > 1))",
        "k.sum() > 1",
        "k.size > 1",
        "__import__('os')",
        "().__class__",
        "(lambda: bias)()",
        "any([x > 1 for x in k])",
        "any(x > 1 for x in k)",
        "{x for x in k}",
        "{1: 2}",
        "{1, 2}",
        "f'{bias}' == mode",
        "(x := bias)",
        "max(*k) > 1",
        "max(k, default=0) > 1",
        "max(**k) > 1",
        "bias if bias else bias",
        "print(1)",
        "any",
        "any(any)",
        "abs(a) > 1",
        "len(k) > 1",
        "None",
        "mode is None",
        "...",
        "1j",
        "b'xla' == mode",
        "await bias",
        "(yield)",
        "k[0:1]",
        "any(k[::-1] > 1)",
        "k[0, 0]",
        "k[True]",
        "k[ndim]",
        "k[1.0]",
        "k[3]",
        "k[-4]",
        "k['0']",
        "mode[0]",
        "ndim[0]",
        "any()",
        "any(a, s)",
        "any(ndim)",
        "any(bias)",
        "all((bias, bias))",
        "max()",
        "max(3)",
        "max(mode, dtype)",
        "max(a >= s)",
        "~bias",
        "~a",
        "-bias",
        "-(a > s)",
        "bias + 1",
        "(a > s) + (d > 1)",
        "'x' * 9 == mode",
        "'%s' % mode == mode",
        "any(a | s)",
        "a & 1",
        "bias == 1",
        "bias > False",
        "(a > s) < (d > 1)",
        "ndim == 'xla'",
        "'xla' == 'xla'",
        "'xla'",
        "mode",
        "version",
        "not mode",
        "mode and bias",
        "mode == dtype",
        "mode < 'xla'",
        "dtype == 'float'",
        "dtype in ('float16')",
        "dtype in ('float16', 'flaot32')",
        "dtype in mode",
        "'xla' in mode",
        "'xla' in ('xla', 'eager')",
        "mode in ()",
        "ndim in (1, 'xla')",
        "(1, 2) == (1, 2)",
        "(1, 2)",
        "version < 2.14",
        "version < '2.x'",
        "version in ('2.13', 'x')",
        "version == '2.13.0+cpu'",
        "version < mode",
        "(ndim > 1 and max(a)) == 1",
    ],
)
def test_what_is_not_in_the_language_is_refused(text: str) -> None:
    """Whatever would reach beyond the names, and whatever would be a surprise."""
    error = refused(text)
    assert 1 <= error.column <= len(text)


@pytest.mark.parametrize("number", ["2147483649", "1e10", "1e999", "0x" + "f" * 900, "9" * 990])
def test_large_numbers_are_refused(number: str) -> None:
    """Nothing in a case is above 2**31, which itself may be written."""
    assert "2**31" in refused(f"ndim > {number}").problem
    assert holds("ndim < 2147483648")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 480 + "bias" + ")" * 480,
        "-" * 990 + "1",
        "not " * 240 + "bias",
        "~" * 900 + "(a > s)",
        "1" + "+1" * 400,
        "any(" * 190 + "a" + ")" * 190,
        "k[" * 190 + "0" + "]" * 190,
        "[" * 190 + "]" * 190,
        "1 in " * 190 + "k",
        "k" + "[0]" * 300,
        "max(1, " * 140 + "1" + ")" * 140,
        "lambda: " * 120 + "1",
        "a" * (MAX_LENGTH + 1),
        "bias or " * 10**6 + "bias",
        "f'{" * 200 + "}'" * 200,
    ],
    ids=lambda text: text[:9],
)
def test_no_text_hangs_or_overflows(text: str) -> None:
    """Deep and long texts are refused with a column, in no time."""
    started = time.perf_counter()
    error = refused(text)
    assert time.perf_counter() - started < 5
    assert len(str(error)) < 1000


def test_as_deep_and_as_long_as_allowed_is_evaluated() -> None:
    """The limits themselves are within them."""
    deep = "not " * (MAX_DEPTH - 1) + "bias"
    assert holds(deep) is bool(MAX_DEPTH % 2 == 0)
    refused("not " + deep)
    long = " or ".join(["bias"] * 124)
    assert holds(long.ljust(MAX_LENGTH) + "") is False
    refused(long.ljust(MAX_LENGTH + 1))


def test_the_largest_numbers_are_quick() -> None:
    """A thousand characters of multiplication make no number that takes time."""
    text = "max(" + "*".join(["n"] * 45) + ") > 0"
    started = time.perf_counter()
    assert holds(text)
    assert time.perf_counter() - started < 5


def test_doubtful_spellings_raise_no_warning() -> None:
    """Python warns of an unknown escape while it reads; here warnings are errors."""
    assert not holds(r"mode == '\d'")
    refused("1if bias else 0")
