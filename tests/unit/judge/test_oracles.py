"""Every branch of the agreement and contract oracles, on observations made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness import Case, Crop, Layer, reference
from harness.judge.oracles import (
    GRADIENT_SHAPE,
    OUTSIDE_FORWARD_RULE,
    SPECIAL_PLACE,
    Question,
    Verdict,
    judge,
    right_digest,
)
from harness.judge.tolerance import Expected
from harness.layer import Spelling
from harness.records import (
    Asked,
    Disagreement,
    Expression,
    Forward,
    Illegal,
    Kind,
    Observation,
    Oracle,
    Outcome,
    Resolved,
    Rule,
    Target,
    Unspecified,
)
from harness.values import digest

API = "some.conv_transpose"
UNCUT = Crop(0, 0)
LAYER = Layer(1, 2, 3, 2, ndim=1)
CASE = Case(LAYER, batch=2, input_size=(3,), seed=5)
RULE = Rule("sizes lead back", "https://example.org/rule")
ILLEGAL = Illegal("stride outside its domain", Rule("stride must be positive", "https://example.org/stride"))
SPELLING = Spelling(API, {"kernel_size": 3, "stride": 2})
SPELLED = Case.spelled(SPELLING, batch=2, input_size=(3,), seed=5)

EAGER = Target(API, "eager")
ABSTRACT = Target(API, "abstract")
GRADIENT = Target(API, "gradient")
OTHER = Target("other.conv_transpose", "eager")


def meaning(layer: Layer = LAYER, total_padding: int | None = 0) -> Resolved:
    """A legal call that inverts a forward convolution with so much padding (None: of the SAME kind)."""
    return Resolved(layer, forward=Forward(None if total_padding is None else (total_padding,), RULE))


def asked(target: Target = EAGER, answer: Resolved | Illegal | Unspecified | None = None, crop: Crop = UNCUT) -> Asked:
    """The case as it was put to a target; the modes of those names are abstract, and asked for gradients."""
    expression = Expression(None if answer is None else SPELLING, (crop,))
    how, gradient = f"in {target.mode} mode", target.mode == "gradient"
    return Asked(target, "some.conv(x)", expression, answer, target.mode == "abstract", how, gradient)


def question(*asks: Asked, case: Case = CASE, layer: Layer | None = LAYER) -> Question:
    """The case as the judge sees it."""
    return Question({one.target.name: one for one in asks}, None if layer is None else Expected(case, layer))


def right(target: Target = EAGER, case: Case = CASE, layer: Layer = LAYER, **changes: Any) -> Observation:
    """What a target that is right was observed to do; with changes, what another did."""
    expected = Expected(case, layer)
    seen = Observation(target.name, Outcome.OK, shape=expected.shape)
    if target.mode == "gradient":
        seen = replace(seen, shape=None, dtype=case.dtype, digest=expected.gradient.digest)
    elif target.mode != "abstract":
        seen = replace(seen, dtype=case.dtype, digest=expected.digest)
    return replace(seen, **changes)


def rejected(target: Target = EAGER, error: str = "ValueError: no such stride") -> Observation:
    """A target that raised."""
    return Observation(target.name, Outcome.REJECTED, error=error)


def judged(what: Question, *observations: Observation) -> Verdict:
    """The verdict on these observations."""
    return judge(what, {seen.target: seen for seen in observations})


def only(verdict: Verdict) -> Disagreement:
    """The one objection."""
    (disagreement,) = verdict.disagreements
    return disagreement


def content(verdict: Verdict) -> dict[str, tuple[Oracle, Kind]]:
    """Who is objected to, by which oracle, for what."""
    return {d.observation.target: (d.oracle, d.kind) for d in verdict.disagreements}


def test_a_right_answer_agrees() -> None:
    """Shape, dtype and digest of the reference: nothing to object to."""
    assert judged(question(asked()), right()) == Verdict({EAGER.name: True}, ())


def test_a_layers_case_asks_for_agreement_and_a_spelled_one_for_the_contract() -> None:
    """The oracle follows from the question, not from the answer."""
    layered = judged(question(asked()), right(shape=(2, 2, 9)))
    spelled = judged(question(asked(answer=meaning()), case=SPELLED), right(case=SPELLED, shape=(2, 2, 9)))
    illegal = judged(question(asked(answer=ILLEGAL), case=SPELLED, layer=None), right())
    assert [only(v).oracle for v in (layered, spelled, illegal)] == [Oracle.AGREEMENT, Oracle.CONTRACT, Oracle.CONTRACT]


@pytest.mark.parametrize("shape", [(2, 2, 8), (2, 2, 6), (2, 1, 7), (1, 2, 7), (2, 2, 7, 1)])
def test_another_shape_is_an_objection_to_the_size(shape: tuple[int, ...]) -> None:
    """One element too many or too few, other channels, another batch, another number of axes."""
    verdict = judged(question(asked(answer=meaning())), right(shape=shape))
    found = only(verdict)
    assert (found.kind, found.expected_size, found.rule) == (Kind.SIZE, (7,), RULE)
    assert verdict.agrees == {EAGER.name: False}


def test_a_wrong_shape_is_not_compared_further() -> None:
    """Values of another shape have no counterpart, and the dtype would be a second finding of one fault."""
    assert only(judged(question(asked()), right(shape=(2, 2, 8), dtype="float64"))).kind is Kind.SIZE


def test_other_numbers_are_an_objection_to_the_value() -> None:
    """The difference is measured and its first element named."""
    values = Expected(CASE, LAYER).values.copy()
    values[1, 0, 4] += 2
    found = only(judged(question(asked()), right(digest=digest(values), values=values)))
    assert (found.kind, found.max_abs_error, found.bound_ratio) == (Kind.VALUE, 2.0, None)
    assert found.first_difference is not None
    assert found.first_difference.index == (1, 0, 4)


def test_exact_values_are_judged_by_digest_where_that_is_enough() -> None:
    """Right numbers need not be sent."""
    seen = right()
    assert seen.values is None
    assert judged(question(asked()), seen).agrees == {EAGER.name: True}


def test_real_values_are_judged_by_the_bound_and_not_by_the_digest() -> None:
    """A rounding error agrees, an error beyond the bound does not and says how far beyond."""
    case = CASE.replace(values="normal")
    expected = Expected(case, LAYER)
    near = expected.values.astype(np.float32).astype(np.float64)
    assert digest(near) != expected.digest
    assert judged(question(asked(), case=case), right(case=case, digest=digest(near), values=near)).disagreements == ()
    far = expected.values * 1.01
    found = only(judged(question(asked(), case=case), right(case=case, digest=digest(far), values=far)))
    assert found.kind is Kind.VALUE
    assert found.bound_ratio is not None
    assert found.bound_ratio > 1


def test_values_that_were_not_asked_for_are_a_fault_of_ours() -> None:
    """A digest that differs cannot be judged without the numbers: that must not pass as agreement."""
    with pytest.raises(ValueError, match="eager"):
        judged(question(asked()), right(digest="0" * 16))


def test_special_values_are_judged_by_where_nan_may_stand() -> None:
    """By digest where that is enough, by the masks of the references otherwise; their shape and dtype as ever."""
    case = CASE.replace(values="special", seed=2)
    what, expected = question(asked(), case=case), Expected(case, LAYER)
    assert judged(what, right(case=case)).agrees == {EAGER.name: True}
    with np.errstate(invalid="ignore"):
        spread = reference.zero_insertion(*case.arrays(), LAYER)
    assert np.isnan(spread).sum() > np.isnan(expected.values).sum()
    seen = right(case=case, digest=digest(spread), values=spread)
    assert judged(what, seen).agrees == {EAGER.name: True}
    wrong = np.where(np.isnan(expected.values), 0.0, expected.values)
    found = only(judged(what, replace(seen, digest=digest(wrong), values=wrong)))
    assert (found.kind, found.max_abs_error, found.cause) == (Kind.VALUE, float("inf"), SPECIAL_PLACE)
    assert found.first_difference is not None
    assert np.isnan(found.first_difference.expected)
    assert only(judged(what, replace(seen, shape=(2, 2, 8)))).kind is Kind.SIZE


def test_values_without_a_meaningful_bound_are_not_judged() -> None:
    """bfloat16 with 256 products: any number is within the error that rounding may make."""
    layer = Layer(256, 1, 1, ndim=1)
    case = Case(layer, input_size=(2,), dtype="bfloat16", values="normal")
    seen = Observation(
        EAGER.name, Outcome.OK, shape=(1, 1, 2), dtype="bfloat16", digest="0" * 16, values=np.ones((1, 1, 2))
    )
    assert judged(question(asked(), case=case, layer=layer), seen).agrees == {EAGER.name: True}


def test_another_dtype_is_an_objection_of_its_own() -> None:
    """Right numbers of another dtype; with wrong numbers there are two faults and two objections."""
    assert only(judged(question(asked()), right(dtype="float64"))).kind is Kind.DTYPE
    values = Expected(CASE, LAYER).values + 1
    both = judged(question(asked()), right(dtype="float64", digest=digest(values), values=values))
    assert [d.kind for d in both.disagreements] == [Kind.DTYPE, Kind.VALUE]


def test_a_rejection_of_what_is_documented_is_an_objection() -> None:
    """With the normalised exception, the size that was due and the forward rule of the call."""
    found = only(judged(question(asked(answer=meaning())), rejected(error="ValueError: bad stride 17")))
    assert (found.oracle, found.kind, found.expected_size) == (Oracle.AGREEMENT, Kind.REJECTION, (7,))
    assert (found.exception, found.rule) == ("ValueError bad stride", RULE)


def test_a_rejection_by_a_target_without_a_vocabulary_is_an_objection() -> None:
    """It was asked in canonical words, after its declared limits."""
    assert content(judged(question(asked()), rejected())) == {EAGER.name: (Oracle.AGREEMENT, Kind.REJECTION)}


def test_a_rejection_of_what_is_forbidden_agrees() -> None:
    """It is what the documentation promises."""
    what = question(asked(answer=ILLEGAL), case=SPELLED, layer=None)
    assert judged(what, rejected()) == Verdict({EAGER.name: True}, ())


def test_an_acceptance_of_what_is_forbidden_is_an_objection() -> None:
    """It names the broken rule, which takes part in the signature."""
    what = question(asked(answer=ILLEGAL), case=SPELLED, layer=None)
    found = only(judged(what, right()))
    assert (found.oracle, found.kind, found.cause, found.rule) == (
        Oracle.CONTRACT,
        Kind.ACCEPTANCE,
        ILLEGAL.code,
        ILLEGAL.rule,
    )


@pytest.mark.parametrize(
    "seen",
    [right(), right(shape=(2, 2, 99)), right(dtype="int8"), rejected()],
    ids=["right", "size", "dtype", "rejected"],
)
def test_what_is_not_specified_is_not_judged(seen: Observation) -> None:
    """Neither an answer nor a rejection agrees or disagrees with a documentation that is silent."""
    what = question(asked(answer=Unspecified("silent")), case=SPELLED, layer=None)
    assert judged(what, seen) == Verdict({}, ())


@pytest.mark.parametrize("answer", [None, meaning(), ILLEGAL, Unspecified("silent")])
def test_a_skipped_case_is_not_judged(answer: Resolved | Illegal | Unspecified | None) -> None:
    """A declared limit is neither right nor wrong."""
    seen = Observation(EAGER.name, Outcome.SKIPPED, reason="no groups")
    assert judged(question(asked(answer=answer)), seen) == Verdict({}, ())


def test_an_observation_of_a_target_that_was_not_asked_is_not_judged() -> None:
    """Where no spelling reaches the layer there is nothing to hold the target to."""
    assert judged(question(asked()), right(), right(OTHER)).agrees == {EAGER.name: True}


@pytest.mark.parametrize("answer", [None, meaning(), ILLEGAL, Unspecified("silent")])
@pytest.mark.parametrize(
    ("outcome", "kind"),
    [(Outcome.CRASHED, Kind.CRASH), (Outcome.TIMED_OUT, Kind.HANG), (Outcome.OUT_OF_MEMORY, Kind.MEMORY)],
)
def test_ending_the_process_is_never_right(
    outcome: Outcome, kind: Kind, answer: Resolved | Illegal | Unspecified | None
) -> None:
    """A crash, a hang or an exhausted memory is objected to whatever the documentation says of the call."""
    verdict = judged(question(asked(answer=answer)), Observation(EAGER.name, outcome, exit="SIGABRT"))
    assert content(verdict) == {EAGER.name: (Oracle.AGREEMENT, kind)}
    assert verdict.agrees == {EAGER.name: False}
    assert only(verdict).expected_size == (7,)


def test_a_crash_is_told_by_its_signal_and_its_last_words_without_their_numbers() -> None:
    """Two failed checks of one line are one crash; another signal is another."""
    what = question(asked())

    def crash(signal: str, log: str) -> str | None:
        return only(judged(what, Observation(EAGER.name, Outcome.CRASHED, exit=signal, log_tail=log))).exception

    one = crash("SIGABRT", "noise\nCheck failed: sizes are equal (1 vs. 2)\n")
    assert one == crash("SIGABRT", "Check failed: sizes are equal (30 vs. 4)\n")
    assert one != crash("SIGABRT", "Check failed: strides are positive (30 vs. 4)\n")
    assert one != crash("SIGSEGV", "Check failed: sizes are equal (1 vs. 2)\n")


# Shape inference ---------------------------------------------------------------------------------------------------


def both(answer: Resolved | Illegal | Unspecified, **options: Any) -> Question:
    """A call that was put to an API's concrete and to its abstract mode."""
    return question(asked(EAGER, answer), asked(ABSTRACT, answer), **options)


INFERENCE = {ABSTRACT.name: (Oracle.CONTRACT, Kind.SHAPE_INFERENCE)}


def test_an_abstract_mode_is_judged_by_its_shape_alone() -> None:
    """It gives no numbers and no dtype."""
    assert judged(both(meaning()), right(), right(ABSTRACT)).agrees == {EAGER.name: True, ABSTRACT.name: True}


def test_an_abstract_mode_that_infers_another_shape_than_the_concrete_one() -> None:
    """Where the concrete mode is right, what is wrong is the inference: a contract between two modes."""
    verdict = judged(both(meaning()), right(), right(ABSTRACT, shape=(2, 2, 8)))
    assert content(verdict) == INFERENCE
    found = only(verdict)
    assert found.expected_size == (7,)
    assert found.contrast is not None
    assert "eager mode" in found.contrast
    assert "(7,)" in found.contrast


def test_an_abstract_mode_that_rejects_what_the_concrete_one_computes() -> None:
    """The other way: the inference raises, and the call works."""
    verdict = judged(both(meaning()), right(), rejected(ABSTRACT, "TypeError: no shape"))
    assert content(verdict) == INFERENCE
    assert (only(verdict).exception, only(verdict).expected_size) == ("TypeError no shape", (7,))


def test_an_abstract_mode_that_accepts_what_the_concrete_one_rejects() -> None:
    """A forbidden call that passes shape inference alone: the rule is named, and what the call raises."""
    what = both(ILLEGAL, case=SPELLED, layer=None)
    verdict = judged(what, rejected(error="ValueError: stride 0"), right(ABSTRACT))
    assert content(verdict) == INFERENCE
    found = only(verdict)
    assert (found.cause, found.rule) == (ILLEGAL.code, ILLEGAL.rule)
    assert found.contrast is not None
    assert "stride 0" in found.contrast
    assert verdict.agrees == {EAGER.name: True, ABSTRACT.name: False}


def test_a_concrete_mode_alone_that_rejects_is_the_one_that_is_wrong() -> None:
    """The inferred shape is the right one: it is not the inference that is objected to."""
    verdict = judged(both(meaning()), rejected(), right(ABSTRACT))
    assert content(verdict) == {EAGER.name: (Oracle.AGREEMENT, Kind.REJECTION)}


def test_a_concrete_mode_alone_that_has_another_size_is_the_one_that_is_wrong() -> None:
    """Likewise: the inference is right."""
    verdict = judged(both(meaning()), right(shape=(2, 2, 8)), right(ABSTRACT))
    assert content(verdict) == {EAGER.name: (Oracle.AGREEMENT, Kind.SIZE)}


def test_both_modes_that_have_the_same_wrong_size_are_wrong_in_size() -> None:
    """The modes agree with each other: both disagree with the layer, and bear one signature."""
    verdict = judged(both(meaning()), right(shape=(2, 2, 8)), right(ABSTRACT, shape=(2, 2, 8)))
    assert {kind for _, kind in content(verdict).values()} == {Kind.SIZE}
    assert len({d.signature for d in verdict.disagreements}) == 1
    assert verdict.agrees == {EAGER.name: False, ABSTRACT.name: False}


def test_both_modes_that_reject_are_wrong_in_rejecting() -> None:
    """One fault of the API, not one of its inference."""
    verdict = judged(both(meaning()), rejected(), rejected(ABSTRACT))
    assert [d.kind for d in verdict.disagreements] == [Kind.REJECTION, Kind.REJECTION]


def test_both_modes_that_accept_are_wrong_in_accepting() -> None:
    """The forbidden call is accepted by the API itself."""
    verdict = judged(both(ILLEGAL, case=SPELLED, layer=None), right(), right(ABSTRACT))
    assert [d.kind for d in verdict.disagreements] == [Kind.ACCEPTANCE, Kind.ACCEPTANCE]


def test_two_modes_must_agree_even_where_the_documentation_is_silent() -> None:
    """Which of two shapes is right is not specified; that they are the same is."""
    what = both(Unspecified("silent"), case=SPELLED, layer=None)
    assert content(judged(what, right(), right(ABSTRACT, shape=(2, 2, 8)))) == INFERENCE
    assert judged(what, right(), right(ABSTRACT)) == Verdict({}, ())


def test_silence_excuses_a_rejection_by_shape_inference() -> None:
    """Neither mode promised to accept the call."""
    what = both(Unspecified("silent"), case=SPELLED, layer=None)
    assert judged(what, right(), rejected(ABSTRACT)) == Verdict({}, ())


@pytest.mark.parametrize("outcome", [Outcome.SKIPPED, Outcome.CRASHED])
def test_without_an_answer_of_the_concrete_mode_the_abstract_one_is_judged_by_itself(outcome: Outcome) -> None:
    """A crash or a skip is nothing to hold an inferred shape against."""
    verdict = judged(both(meaning()), Observation(EAGER.name, outcome, exit="x"), right(ABSTRACT, shape=(2, 2, 8)))
    assert content(verdict)[ABSTRACT.name] == (Oracle.AGREEMENT, Kind.SIZE)


@pytest.mark.parametrize("stranger", [OTHER, Target(API, "eager", environment="old")], ids=["API", "environment"])
def test_modes_are_held_against_their_own_api_in_their_own_environment(stranger: Target) -> None:
    """Another API, or another version of this one, is no twin."""
    what = question(asked(stranger, meaning()), asked(ABSTRACT, meaning()))
    verdict = judged(what, right(stranger), right(ABSTRACT, shape=(2, 2, 8)))
    assert content(verdict) == {ABSTRACT.name: (Oracle.AGREEMENT, Kind.SIZE)}


# The forward rule --------------------------------------------------------------------------------------------------

WIDE = Layer(1, 1, 3, 2, 0, 2, dilation=3, bias=False, ndim=1)
WIDE_CASE = Case(WIDE, input_size=(3,))


def outside(target: Target = EAGER, layer: Layer = WIDE, crop: Crop = UNCUT, **changes: Any) -> Verdict:
    """Output size 13 by output_padding 2 with stride 2: the forward convolution leads to 3 from 11 and 12 alone."""
    what = question(asked(target, meaning(layer), crop), case=WIDE_CASE, layer=layer)
    return judged(what, right(target, WIDE_CASE, layer, **changes))


@pytest.mark.parametrize("target", [EAGER, ABSTRACT], ids=["concrete", "abstract"])
def test_an_accepted_size_outside_the_own_forward_rule_is_a_contract_disagreement(target: Target) -> None:
    """The values are right and every API may agree: it is the API's own rule that is broken, and it is shown."""
    found = only(outside(target))
    assert (found.oracle, found.kind, found.cause) == (Oracle.CONTRACT, Kind.ACCEPTANCE, OUTSIDE_FORWARD_RULE)
    assert found.rule == RULE
    assert found.contrast is not None
    assert "{11, 12}" in found.contrast


def test_sizes_inside_the_forward_rule_are_not_objected_to() -> None:
    """Both valid sizes of stride 2 are inside; the next one is not."""
    for added, count in ((0, 0), (1, 0), (2, 1), (-1, 1)):
        assert len(outside(layer=WIDE.replace(output_padding=added)).disagreements) == count


@pytest.mark.parametrize("crop", [Crop(0, -1), Crop(0, 1), Crop(1, -1)])
def test_an_expression_with_a_crop_is_not_judged_by_the_forward_rule(crop: Crop) -> None:
    """The size is then our code's, not the API's own words'."""
    assert outside(crop=crop).disagreements == ()


def test_an_empty_output_is_not_judged_by_the_forward_rule() -> None:
    """No size below 1 is valid, so that every call that leaves nothing would be outside."""
    layer = LAYER.replace(padding=4, output_padding=1)
    what = question(asked(answer=meaning(layer, 8)), case=SPELLED, layer=layer)
    seen = right(case=SPELLED, layer=layer)
    assert seen.shape == (2, 2, 0)
    assert judged(what, seen).disagreements == ()


def test_a_call_without_a_forward_twin_is_not_judged_by_one() -> None:
    """JAX's plain pairs invert no forward convolution."""
    what = question(asked(answer=Resolved(WIDE)), case=WIDE_CASE, layer=WIDE)
    assert judged(what, right(case=WIDE_CASE, layer=WIDE)).disagreements == ()


def test_a_wrong_size_is_not_judged_by_the_forward_rule_as_well() -> None:
    """It is one fault, and it has its own objection."""
    assert only(outside(shape=(1, 1, 14))).kind is Kind.SIZE


def test_a_rejected_size_outside_the_forward_rule_is_a_rejection() -> None:
    """The rule says what is accepted wrongly, not what may be refused."""
    what = question(asked(answer=meaning(WIDE)), case=WIDE_CASE, layer=WIDE)
    assert only(judged(what, rejected())).kind is Kind.REJECTION


@pytest.mark.parametrize(("size", "count"), [(4, 1), (5, 0), (6, 0), (7, 1)])
def test_the_same_kind_of_padding_has_valid_sizes_of_its_own(size: int, count: int) -> None:
    """(n - 1) s < m <= n s, whatever the crop: computed from the near crop alone, ordinary calls would be outside."""
    layer = LAYER.replace(padding=1, output_padding=size - 5)
    case = CASE.replace(layer=layer)
    what = question(asked(answer=meaning(layer, None)), case=case, layer=layer)
    found = judged(what, right(case=case, layer=layer)).disagreements
    assert [d.cause for d in found] == [OUTSIDE_FORWARD_RULE] * count


# Causes ------------------------------------------------------------------------------------------------------------


def test_other_numbers_have_the_cause_that_explains_every_element() -> None:
    """Its name for signatures, its text for people; without one that fits, none."""
    x, weight, bias = CASE.arrays()
    flipped = reference.conv_transpose(x, weight[..., ::-1], bias, LAYER)
    found = only(judged(question(asked()), right(digest=digest(flipped), values=flipped)))
    assert (found.kind, found.cause, found.detail, found.other_causes) == (
        Kind.VALUE,
        "kernel flipped",
        "kernel flipped",
        (),
    )
    puzzling = Expected(CASE, LAYER).values + np.arange(7) ** 3
    found = only(judged(question(asked()), right(digest=digest(puzzling), values=puzzling)))
    assert (found.cause, found.detail, found.other_causes) == (None, None, ())


def test_several_causes_are_kept_for_other_cases_to_tell_apart() -> None:
    """Where one axis has stride 1, no stride at all and that axis's for both are the same; the first one stands."""
    layer = Layer(kernel_size=1, stride=(1, 2))
    case = Case(layer, input_size=(1, 3))
    seen = reference.conv_transpose(*case.arrays(), layer.replace(stride=1))
    found = only(
        judged(
            question(asked(), case=case, layer=layer),
            right(case=case, layer=layer, shape=seen.shape, digest=digest(seen), values=seen),
        )
    )
    assert (found.kind, found.cause) == (Kind.SIZE, "stride ignored")
    assert "one axis's stride used for all axes" in dict(found.other_causes)
    first, *others = found.attributed()
    assert first == replace(found, other_causes=())
    assert [(one.cause, one.detail) for one in others] == list(found.other_causes)
    assert len({one.signature for one in found.attributed()}) == 1 + len(others)


def test_a_likely_cause_that_explains_is_the_only_one() -> None:
    """It was made sure of on another case of the same API; that of another API counts for nothing."""
    layer = Layer(kernel_size=1, stride=(1, 2))
    case = Case(layer, input_size=(1, 3))
    values = reference.conv_transpose(*case.arrays(), layer.replace(stride=1))
    seen = right(case=case, layer=layer, shape=values.shape, digest=digest(values), values=values)
    usual = question(asked(), case=case, layer=layer)
    likely = "one axis's stride used for all axes"

    def found(api: str, *names: str) -> Disagreement:
        return only(judged(replace(usual, likely={api: names}), seen))

    assert (found(API, likely).cause, found(API, likely).other_causes) == (likely, ())
    assert found(OTHER.api, likely) == found(API, "bias missing") == only(judged(usual, seen))
    assert only(judged(usual, seen)).cause == "stride ignored"


def test_another_size_has_a_cause_where_the_numbers_are_there() -> None:
    """Without them it is a size alone."""
    longer = LAYER.replace(output_padding=2)
    layer, case = LAYER.replace(output_padding=1), CASE.replace(layer=LAYER.replace(output_padding=1))
    values = reference.conv_transpose(*case.arrays(), longer)
    what = question(asked(), case=case, layer=layer)
    seen = right(case=case, layer=layer, shape=values.shape, digest=digest(values))
    assert only(judged(what, seen)).cause is None
    found = only(judged(what, replace(seen, values=values)))
    assert (found.kind, found.cause) == (Kind.SIZE, "output_padding multiplied by stride")
    assert found.expected_size == (8,)


def test_a_wrong_dtype_and_a_wrong_shape_by_inference_have_no_cause() -> None:
    """Causes explain numbers."""
    assert only(judged(question(asked()), right(dtype="float64"))).cause is None
    assert only(judged(both(meaning()), right(), right(ABSTRACT, shape=(2, 2, 8)))).cause is None


# Gradients ---------------------------------------------------------------------------------------------------------


def gradients(case: Case = CASE, **added: float) -> NDArray[Any]:
    """The right gradients end to end; with so much added to the first element of a part."""
    assert case.layer is not None
    parts = dict(
        zip(("dx", "dweight", "dbias"), reference.vjp(*case.arrays(), case.layer, case.cotangent()), strict=True)
    )
    for name, more in added.items():
        part = parts[name]
        assert part is not None
        part.flat[0] += more
    return np.concatenate([part.ravel() for part in parts.values() if part is not None])


def wrong_gradient(case: Case = CASE, **added: float) -> Observation:
    """What a target with one wrong gradient was observed to do."""
    values = gradients(case, **added)
    return right(GRADIENT, case, digest=digest(values), values=values)


def test_right_gradients_agree_by_their_digest() -> None:
    """They have no shape, which is no objection to the size."""
    seen = right(GRADIENT)
    assert seen.shape is None
    assert judged(question(asked(GRADIENT)), seen) == Verdict({GRADIENT.name: True}, ())
    assert judged(question(asked(GRADIENT, meaning())), seen) == Verdict({GRADIENT.name: True}, ())


def test_gradients_are_not_taken_for_an_output() -> None:
    """The output's digest is wrong for them, and theirs for an output."""
    expected = Expected(CASE, LAYER)
    assert expected.digest != expected.gradient.digest
    seen = right(GRADIENT, digest=expected.digest, values=gradients(dx=1))
    assert only(judged(question(asked(GRADIENT)), seen)).kind is Kind.GRADIENT


@pytest.mark.parametrize("name", ["dx", "dweight", "dbias"])
def test_a_wrong_gradient_names_the_part_that_differs(name: str) -> None:
    """With the error and the first difference in it; what differs is the cause, for it tells findings apart."""
    found = only(judged(question(asked(GRADIENT)), wrong_gradient(CASE, **{name: 3})))
    assert (found.oracle, found.kind, found.cause) == (Oracle.AGREEMENT, Kind.GRADIENT, f"{name} differs")
    assert (found.max_abs_error, found.bound_ratio, found.expected_size, found.rule) == (3.0, None, None, None)
    assert found.first_difference is not None
    assert (found.first_difference.array, set(found.first_difference.index)) == (name, {0})


def test_gradients_of_other_shapes_are_told_by_their_shapes() -> None:
    """One objection without numbers, for they have no counterpart; the cause has no shapes in it, the contrast has."""
    reason = "gradients of shapes (2, 1, 3) for arrays of (2, 1, 3), (1, 2, 3), (2,)"
    for values in (None, np.zeros(6)):
        seen = right(GRADIENT, digest="0" * 16, reason=reason, values=values)
        found = only(judged(question(asked(GRADIENT)), seen))
        assert (found.kind, found.cause, found.contrast) == (Kind.GRADIENT, GRADIENT_SHAPE, reason)
        assert (found.max_abs_error, found.first_difference) == (None, None)
        assert not any(character.isdigit() for character in GRADIENT_SHAPE)


def test_gradients_of_a_spelled_call_are_a_contract() -> None:
    """Like its output."""
    what = question(asked(GRADIENT, meaning()), case=SPELLED)
    seen = right(GRADIENT, SPELLED, digest="0" * 16, values=gradients(dweight=1))
    assert only(judged(what, seen)).oracle is Oracle.CONTRACT


def test_real_gradients_are_judged_by_their_bounds() -> None:
    """A rounding error agrees, an error beyond the bound does not and says how far beyond."""
    case = CASE.replace(values="normal")
    what = question(asked(GRADIENT), case=case)
    near = gradients(case).astype(np.float32).astype(np.float64)
    assert judged(what, right(GRADIENT, case, digest=digest(near), values=near)).disagreements == ()
    found = only(judged(what, wrong_gradient(case, dweight=1e-2)))
    assert found.bound_ratio is not None
    assert found.bound_ratio > 1


def test_gradients_of_another_dtype_are_an_objection_of_their_own() -> None:
    """Beside wrong numbers there are two."""
    assert only(judged(question(asked(GRADIENT)), right(GRADIENT, dtype="float64"))).kind is Kind.DTYPE
    both = judged(question(asked(GRADIENT)), replace(wrong_gradient(dx=1), dtype="float64"))
    assert [d.kind for d in both.disagreements] == [Kind.DTYPE, Kind.GRADIENT]


def test_gradients_that_are_rejected_or_crash_are_objected_to_like_any_call() -> None:
    """The call is legal, and so is asking for its gradients."""
    what = question(asked(GRADIENT, meaning()))
    found = only(judged(what, rejected(GRADIENT, "ValueError: no gradient")))
    assert (found.kind, found.exception) == (Kind.REJECTION, "ValueError no gradient")
    assert only(judged(what, Observation(GRADIENT.name, Outcome.CRASHED, exit="SIGSEGV"))).kind is Kind.CRASH


def test_gradients_that_change_are_nondeterministic() -> None:
    """Whatever their numbers."""
    what = question(asked(GRADIENT))
    verdict = judge(what, {GRADIENT.name: replace(wrong_gradient(dx=1), unstable=True)})
    assert only(verdict).kind is Kind.NONDETERMINISM


def test_gradients_without_their_numbers_are_a_fault_of_ours() -> None:
    """As with an output, a digest that differs must not pass for agreement."""
    with pytest.raises(ValueError, match="gradient"):
        judged(question(asked(GRADIENT)), right(GRADIENT, digest="0" * 16))


def flipped_output() -> Observation:
    """What a target that correlates the kernel was observed to do."""
    x, weight, bias = CASE.arrays()
    values = reference.conv_transpose(x, weight[..., ::-1], bias, LAYER)
    return right(digest=digest(values), values=values)


@pytest.mark.parametrize("order", [1, -1], ids=["value first", "gradient first"])
def test_a_wrong_gradient_beside_wrong_values_is_one_fault(order: int) -> None:
    """It takes over their cause, and with it their signature."""
    observations = [flipped_output(), wrong_gradient(dx=3)][::order]
    verdict = judged(question(asked(), asked(GRADIENT)), *observations)
    by_kind = {d.kind: d for d in verdict.disagreements}
    assert set(by_kind) == {Kind.VALUE, Kind.GRADIENT}
    value, gradient = by_kind[Kind.VALUE], by_kind[Kind.GRADIENT]
    assert (gradient.cause, gradient.detail, gradient.other_causes) == (
        value.cause,
        value.detail,
        value.other_causes,
    )
    assert gradient.cause == "kernel flipped"
    assert gradient.signature == value.signature
    assert gradient.first_difference is not None
    assert gradient.first_difference.array == "dx"


def test_a_wrong_gradient_beside_wrong_values_of_another_api_stands_alone() -> None:
    """A fault of one API explains nothing in another."""
    there = replace(flipped_output(), target=OTHER.name)
    verdict = judged(question(asked(OTHER), asked(GRADIENT)), there, wrong_gradient(dx=3))
    assert {d.cause for d in verdict.disagreements} == {"kernel flipped", "dx differs"}


def test_a_wrong_gradient_beside_right_values_stands_alone() -> None:
    """And a rejection, or another dtype, lends it nothing."""
    for beside in (right(), right(dtype="float64"), rejected()):
        verdict = judged(question(asked(), asked(GRADIENT)), beside, wrong_gradient(dbias=1))
        assert [d.cause for d in verdict.disagreements if d.kind is Kind.GRADIENT] == ["dbias differs"]


def test_an_unexplained_wrong_value_takes_the_gradients_cause_away() -> None:
    """One fault of two faces: what differs in the gradient is no name for both."""
    values = Expected(CASE, LAYER).values + np.arange(7) ** 3
    seen = right(digest=digest(values), values=values)
    verdict = judged(question(asked(), asked(GRADIENT)), seen, wrong_gradient(dx=3))
    assert [d.cause for d in verdict.disagreements] == [None, None]
    assert len({d.signature for d in verdict.disagreements}) == 1


@pytest.mark.parametrize("concrete", [right(GRADIENT), rejected(GRADIENT)], ids=["ok", "rejected"])
def test_gradients_are_nothing_to_hold_an_inferred_shape_against(concrete: Observation) -> None:
    """A gradient has no shape, and its call is another one: the inference is judged by itself."""
    what = question(asked(GRADIENT, meaning()), asked(ABSTRACT, meaning()))
    wrong = judged(what, concrete, right(ABSTRACT, shape=(2, 2, 8)))
    assert content(wrong)[ABSTRACT.name] == (Oracle.AGREEMENT, Kind.SIZE)
    refused = judged(what, concrete, rejected(ABSTRACT))
    assert content(refused)[ABSTRACT.name] == (Oracle.AGREEMENT, Kind.REJECTION)


def test_an_inferred_shape_is_held_against_the_concrete_mode_behind_a_gradient() -> None:
    """The concrete mode is found wherever it stands."""
    asks = (asked(GRADIENT, meaning()), asked(EAGER, meaning()), asked(ABSTRACT, meaning()))
    verdict = judged(question(*asks), right(GRADIENT), right(), right(ABSTRACT, shape=(2, 2, 8)))
    assert content(verdict) == INFERENCE
    assert only(verdict).contrast == "in eager mode the same call returns output size (7,)"


def test_an_inferred_acceptance_of_what_is_forbidden_is_not_held_against_a_gradient() -> None:
    """It is an acceptance like any other: the gradient's rejection may be of the gradient alone."""
    what = question(asked(GRADIENT, ILLEGAL), asked(ABSTRACT, ILLEGAL), case=SPELLED, layer=None)
    verdict = judged(what, rejected(GRADIENT), right(ABSTRACT))
    assert content(verdict) == {ABSTRACT.name: (Oracle.CONTRACT, Kind.ACCEPTANCE)}


def test_gradients_are_not_judged_by_the_forward_rule() -> None:
    """The size is the output's, and is judged there."""
    what = question(asked(GRADIENT, meaning(WIDE)), case=WIDE_CASE, layer=WIDE)
    assert judged(what, right(GRADIENT, WIDE_CASE, WIDE)).disagreements == ()


# Asking for numbers ------------------------------------------------------------------------------------------------


def test_a_worker_is_told_the_digest_of_what_it_is_asked_for() -> None:
    """The output's is not the gradients', and shape inference has none."""
    what = question(asked(), asked(GRADIENT), asked(ABSTRACT))
    expected = Expected(CASE, LAYER)
    assert right_digest(what, EAGER.name) == expected.digest
    assert right_digest(what, GRADIENT.name) == expected.gradient.digest
    assert right_digest(what, ABSTRACT.name) is None
    assert right_digest(what, "nobody") is None


@pytest.mark.parametrize("values", ["normal", "special"])
def test_no_digest_is_right_where_a_bound_decides(values: str) -> None:
    """Reals differ in their last digits, special values in what they make of zeros."""
    assert right_digest(question(asked(), case=CASE.replace(values=values)), EAGER.name) is None


def test_no_digest_is_right_where_there_is_no_answer() -> None:
    """A forbidden call has none."""
    assert right_digest(question(asked(), layer=None), EAGER.name) is None


# Signatures --------------------------------------------------------------------------------------------------------


def signed(**changes: Any) -> str:
    """The signature of a disagreement with some fields changed."""
    target = replace(
        EAGER, **{name: changes.pop(name) for name in ("api", "mode", "device", "environment") if name in changes}
    )
    plain = Disagreement(Oracle.AGREEMENT, Kind.VALUE, asked(target), right())
    return replace(plain, **changes).signature


def test_a_signature_is_twelve_hex_digits() -> None:
    """It is the id of a finding."""
    assert len(signed()) == 12
    assert int(signed(), 16) >= 0


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "xla"},
        {"device": "cuda"},
        {"environment": "old"},
        {"kind": Kind.GRADIENT},
        {"expected_size": (7,), "max_abs_error": 3.0, "bound_ratio": 2.5},
        {"observation": right(dtype="float16", shape=(1, 1, 9), error="ValueError: 17")},
        {"rule": RULE, "contrast": "eager gives 7"},
    ],
    ids=str,
)
def test_modes_numbers_and_wording_are_no_part_of_a_signature(changes: dict[str, Any]) -> None:
    """They are facets of one finding; value and gradient are one family."""
    assert signed(**changes) == signed()


@pytest.mark.parametrize(
    "changes",
    [
        {"api": OTHER.api},
        {"oracle": Oracle.CONTRACT},
        {"kind": Kind.SIZE},
        {"cause": "no groups"},
        {"exception": "ValueError bad stride"},
    ],
    ids=str,
)
def test_oracle_api_family_cause_and_exception_make_a_signature(changes: dict[str, Any]) -> None:
    """Each of them tells two findings apart."""
    assert signed(**changes) != signed()


@pytest.mark.parametrize(
    "family",
    [{Kind.VALUE, Kind.GRADIENT}, {Kind.ACCEPTANCE, Kind.REJECTION}, {Kind.CRASH, Kind.HANG, Kind.MEMORY}],
    ids=["value-gradient", "acceptance-rejection", "failure"],
)
def test_kinds_of_one_family_share_a_signature(family: set[Kind]) -> None:
    """One fault shows as now the one and now the other; every other kind stands alone."""
    assert len({signed(kind=kind) for kind in family}) == 1
    assert signed(kind=min(family)) not in {signed(kind=kind) for kind in set(Kind) - family}


def test_two_cases_of_one_rejection_bear_one_signature() -> None:
    """From the judge: other sizes, another dtype and other numbers in the message are the same finding."""
    large = CASE.replace(input_size=(5,), dtype="float64", seed=9)
    one = only(judged(question(asked(answer=meaning())), rejected(error="ValueError: stride 2 is too large")))
    two = only(
        judged(question(asked(answer=meaning()), case=large), rejected(error="ValueError: stride 37 is too large"))
    )
    assert one.signature == two.signature


def test_a_nan_in_another_place_is_told_from_wrong_numbers() -> None:
    """A signature of its own, so that what is known of special values hides nothing of ordinary ones."""
    case = CASE.replace(values="special")
    right_values = Expected(case, LAYER).values
    place = tuple(np.argwhere(np.isfinite(right_values))[0])
    nan, other = right_values.copy(), right_values.copy()
    nan[place], other[place] = np.nan, right_values[place] + 100.0
    kinds = {}
    for name, values in (("nan", nan), ("number", other)):
        seen = right(digest="0" * 16, shape=values.shape, values=values)
        (found,) = judge(question(asked(), case=case), {EAGER.name: seen}).disagreements
        kinds[name] = (found.kind, found.cause)
    assert kinds == {"nan": (Kind.VALUE, SPECIAL_PLACE), "number": (Kind.VALUE, None)}
