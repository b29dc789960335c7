"""``spellings()``, ``spelled_cases()`` and ``invalid_cases()``: arguments from a declared vocabulary."""

from __future__ import annotations

import pytest
from helpers import Toy, Worded, Wordless, find_any, minimal, sample_straight, share, spelling_of
from hypothesis.errors import InvalidArgument

from harness.frameworks.base import Api
from harness.layer import Case, Spelling
from harness.records import Illegal, Resolved
from strategies import invalid_cases, spelled_cases, spellings
from strategies.bounds import MAX_BYTES, MAX_MULTIPLY_ADDS, case_bytes

APIS = (Toy(), Worded())
BY_NAME: dict[str, Api] = {api.name: api for api in APIS}


def answer(case: Case) -> object:
    return BY_NAME[spelling_of(case).api].resolve(spelling_of(case), case.input_size)


@pytest.fixture(scope="module")
def spelled() -> list[Case]:
    return sample_straight(spelled_cases(APIS), 300)


@pytest.fixture(scope="module")
def invalid() -> list[Case]:
    return sample_straight(invalid_cases(APIS), 1000)


def test_every_argument_lies_in_a_declared_domain(spelled: list[Case]) -> None:
    """What spelled cases get wrong is a relation between arguments, never one argument alone."""
    for case in spelled:
        spelling = spelling_of(case)
        assert BY_NAME[spelling.api].violation(spelling, case.ndim) is None


def test_most_spelled_cases_are_legal(spelled: list[Case]) -> None:
    """Arguments are built from a layer, so they fit together mostly."""
    assert share(spelled, lambda case: isinstance(answer(case), Resolved)) >= 0.7


def test_every_api_is_asked_equally_often(spelled: list[Case]) -> None:
    """No API is preferred."""
    assert 0.4 <= share(spelled, lambda case: spelling_of(case).api == Toy.name) <= 0.6


def test_every_domain_is_used(spelled: list[Case]) -> None:
    """Tuples and integers, words and pairs, flags both ways, arguments written and left out."""
    toy = [spelling_of(case) for case in spelled if spelling_of(case).api == Toy.name]
    worded = [spelling_of(case) for case in spelled if spelling_of(case).api == Worded.name]
    assert {type(spelling.get("stride")) for spelling in toy} == {int, tuple, type(None)}
    assert {type(spelling.get("output_size")) for spelling in toy} == {int, tuple, type(None)}
    assert {spelling.get("bias") for spelling in toy} == {True, False, None}
    assert {"SAME", "VALID"} <= {spelling["padding"] for spelling in worded}
    assert any(isinstance(spelling["padding"], tuple) for spelling in worded)
    assert {spelling.get("flip") for spelling in worded} == {True, False, None}


def test_arguments_keep_the_declared_order(spelled: list[Case]) -> None:
    """A spelling reads as a person would write it, whatever the order of drawing."""
    order = [parameter.name for parameter in Worded.parameters]
    for case in spelled:
        if spelling_of(case).api == Worded.name:
            names = [name for name, _ in spelling_of(case).arguments]
            assert names == sorted(names, key=order.index)


def test_resolved_spellings_keep_the_work_bound(spelled: list[Case]) -> None:
    """What the spelling means is as small as any case, and its integers are exact."""
    for case in spelled:
        resolved = answer(case)
        if isinstance(resolved, Resolved):
            assert resolved.layer.multiply_adds(case.input_size, batch=case.batch) <= MAX_MULTIPLY_ADDS
            assert case_bytes(resolved.layer, case.input_size, batch=case.batch, dtype=case.dtype) <= MAX_BYTES
            assert case.arrays(resolved.layer)


@pytest.mark.parametrize(("padding", "size"), [("SAME", "first"), ("SAME", "last"), ("VALID", "last")])
def test_first_and_last_legal_output_sizes_are_reached(padding: str, size: str) -> None:
    """Output sizes stand at both ends of what a word allows for a stride above 1."""

    def at_the_end(spelling: Spelling) -> bool:
        resolved = Worded().resolve(spelling, (3,))
        if spelling["padding"] != padding or not isinstance(resolved, Resolved) or resolved.layer.stride[0] < 3:
            return False
        base = 2 * resolved.layer.stride[0] + 1 if padding == "SAME" else resolved.layer.full_size((3,))[0]
        m = resolved.layer.output_size((3,))[0]
        return m == (base if size == "first" else base + resolved.layer.stride[0] - 1)

    assert at_the_end(find_any(spellings(Worded(), input_size=(3,)), at_the_end))


def test_spellings_suit_the_input_size() -> None:
    """Given a size, the spellings have its rank and are legal for it mostly."""
    drawn = sample_straight(spellings(Toy(), input_size=(2, 5)), 300)
    assert share(drawn, lambda spelling: isinstance(Toy().resolve(spelling, (2, 5)), Resolved)) >= 0.7


def test_invalid_cases_are_illegal(invalid: list[Case]) -> None:
    """Each of them breaks a rule of its documentation."""
    assert share(invalid, lambda case: isinstance(answer(case), Illegal)) == 1


def test_every_kind_of_rule_is_broken(invalid: list[Case]) -> None:
    """Zero and negative numbers, groups, output paddings, paddings, sizes, unknown words."""
    toy = [spelling_of(case) for case in invalid if spelling_of(case).api == Toy.name]
    worded = [spelling_of(case) for case in invalid if spelling_of(case).api == Worded.name]
    for name in ("stride", "dilation", "kernel_size", "groups", "in_channels", "out_channels", "output_size"):
        assert {0, -1} <= {spelling.get(name) for spelling in toy}, name
    assert -1 in {spelling.get("padding") for spelling in toy}
    assert any((spelling.get("groups") or 1) > spelling["in_channels"] for spelling in toy)
    assert any(len(spelling["stride"]) == 4 for spelling in toy if isinstance(spelling["stride"], tuple))
    assert {"reflect", "full"} <= {spelling["padding"] for spelling in worded}
    assert any(spelling["size"] == -1 for spelling in worded)


def test_carried_arguments_are_not_broken(invalid: list[Case]) -> None:
    """The shape of an array is no argument: documentation cannot forbid it."""
    for case in invalid:
        spelling = spelling_of(case)
        if spelling.api == Worded.name:
            assert min(spelling["channels"], spelling["filters"], *spelling["kernel"]) >= 1


def test_invalid_cases_are_small(invalid: list[Case]) -> None:
    """Breaking a rule makes no array large: every number written stays small."""
    for case in invalid:
        numbers = [value for _, value in spelling_of(case).arguments if isinstance(value, int)]
        numbers += [
            n
            for _, value in spelling_of(case).arguments
            if isinstance(value, tuple)
            for n in value
            if isinstance(n, int)
        ]
        assert max(map(abs, [*numbers, *case.input_size])) <= 400


def test_spelled_cases_shrink_to_the_plainest() -> None:
    """The API's first wording of the plainest layer."""
    case = minimal(spelled_cases([Toy()]))
    assert (case.input_size, case.batch, case.seed) == ((1,), 1, 0)
    assert spelling_of(case)["kernel_size"] == (1,)
    assert spelling_of(case)["stride"] == (1,)


@pytest.mark.parametrize("make", [spelled_cases, invalid_cases])
@pytest.mark.parametrize(
    ("apis", "message"),
    [
        ([], "must have at least one Api"),
        ([Wordless()], "toy.wordless: declares no parameters"),
        ([Toy(), Wordless()], "toy.wordless: declares no parameters"),
        (["torch"], "'torch': must be an Api instance"),
        (Toy(), "must be a list of Api instances"),
    ],
)
def test_apis_are_checked_early(make: object, apis: object, message: str) -> None:
    """Only APIs with a vocabulary can be spelled."""
    with pytest.raises(InvalidArgument, match=message):
        make(apis)  # type: ignore[operator]  # one of two functions


@pytest.mark.parametrize("size", [(), (1, 1, 1, 1), (-1,), ("3",)])
def test_spelling_input_size_is_checked_early(size: tuple[int, ...]) -> None:
    """One to three axes, none of negative size."""
    with pytest.raises(InvalidArgument, match="input_size"):
        spellings(Toy(), input_size=size)


def test_spellings_need_a_vocabulary() -> None:
    """An API without parameters, or no API at all, is refused."""
    with pytest.raises(InvalidArgument, match="declares no parameters"):
        spellings(Wordless())
    with pytest.raises(InvalidArgument, match="api='torch': must be an Api instance"):
        spellings("torch")  # type: ignore[arg-type]  # wrong on purpose
