"""The view models say what the records say: no more, and nothing rounded up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import report_examples as examples

from harness.layer import Crop, Layer
from harness.records import ApiSizes, AxisSizes, OwnRule, Reach, Rule, SizeTable
from reports.ambiguity import layer_sizes
from reports.details import articles, case_line
from reports.overview import header, matrix, skips, totals, unavailable
from reports.view import page


def test_the_verdict_counts_findings_cases_and_frameworks() -> None:
    """The headline is one sentence with the three numbers; two targets of one framework count once."""
    shown = header(examples.judged("unknown", "unknown"))
    assert shown.verdict == "2 findings in 300 cases; 4 frameworks"
    assert shown.scope.startswith("2 wrong results. This report covers")


@pytest.mark.parametrize(
    ("statuses", "verdict", "tone"),
    [
        ("unknown", "1 finding", "found"),
        ("unknown known known", "1 new finding, 2 known", "found"),
        ("expired known", "1 expired finding, 1 known", "found"),
        ("known unknown expired unknown", "2 new findings, 1 expired, 1 known", "found"),
        ("unknown expired", "1 new finding, 1 expired", "found"),
        ("known", "Nothing new: 1 known finding", "clear"),
        ("known known", "Nothing new: 2 known findings", "clear"),
        ("surprise known", "1 new finding, 1 known", "found"),
    ],
)
def test_the_verdict_counts_what_is_new_first(statuses: str, verdict: str, tone: str) -> None:
    """New, then expired, then known; only known ones are a good verdict; a status nobody knows counts as new."""
    shown = header(examples.judged(*statuses.split()))
    assert (shown.verdict, shown.tone) == (f"{verdict} in 300 cases; 4 frameworks", tone)


def test_the_scope_tells_new_classes_from_known_ones() -> None:
    """What the baseline accepts is named after the rest, and nothing new is not called faultless."""
    assert header(examples.full()).scope.startswith("1 wrong result, 1 crash, 1 limitation; known: 1 broken contract.")
    accepted = header(examples.judged("known")).scope
    assert accepted.startswith("Known: 1 wrong result. Nothing new does not mean no fault.")


@pytest.mark.parametrize(
    ("statuses", "tile"),
    [
        ("unknown", ("1", "findings", "")),
        ("unknown known", ("1", "new findings", "and 1 known")),
        ("known", ("0", "new findings", "and 1 known")),
        ("unknown expired known", ("2", "new or expired findings", "and 1 known")),
    ],
)
def test_the_first_figure_counts_what_is_to_be_looked_at(statuses: str, tile: tuple[str, str, str]) -> None:
    """The figure leaves known findings out and says so beside it."""
    first = header(examples.judged(*statuses.split())).tiles[0]
    assert (first.figure, first.label, first.note) == tile


def test_known_findings_have_a_list_of_their_own() -> None:
    """Every finding is on the page once: the known ones apart, under the id of their baseline entry."""
    shown = page(examples.full())
    assert [a.verdict.tone for a in shown.articles] == ["wrong-result", "crash", "limitation"]
    assert [(a.verdict.tone, a.baseline) for a in shown.known] == [("contract", "torch-output-padding")]


def test_no_findings_says_what_was_covered() -> None:
    """Without findings the report names its cases and judged observations and warns against reading more into it."""
    shown = header(examples.clear())
    assert shown.verdict == "No findings in 300 cases; 4 frameworks"
    assert "does not mean no fault" in shown.scope
    assert "1,410 judged observations" in shown.scope
    assert shown.tone == "clear"


def test_disagreements_without_a_finding_are_not_green() -> None:
    """A report whose numbers contradict each other does not pass for a clean one."""
    assert header(replace(examples.full(), findings=())).tone == "empty"


def test_nothing_observed_claims_nothing() -> None:
    """A run without a case is never green, whether or not cases were drawn."""
    for report in (examples.empty(), replace(examples.empty(), cases=5)):
        shown = header(report)
        assert shown.tone == "empty"
        assert "nothing" in shown.verdict
        assert "says nothing about any framework" in shown.scope


def test_targets_that_only_skipped_are_no_answering_frameworks() -> None:
    """A framework that skipped every case is not counted as one that answered."""
    full = examples.full()
    name = examples.KERAS.name
    only_skipped = replace(full.totals[name], outcomes={"skipped": 300}, ok_by_ndim={}, agree=0, disagree=0)
    report = replace(full, totals={**full.totals, name: only_skipped})
    assert header(report).verdict.endswith("3 frameworks")


def test_the_matrix_has_the_pairs_numbers_both_ways() -> None:
    """The k of n stands in both cells of a pair, although a pair is kept once."""
    rows = {row.name.full: row for row in matrix(examples.full())}
    names = list(rows)
    at = {(a, b): rows[a].cells[names.index(b)] for a in names for b in names}
    torch, jax, tensorflow = examples.TORCH.name, examples.JAX.name, examples.TENSORFLOW.name
    assert at[torch, jax] == at[jax, torch]
    assert (at[torch, jax].percent, at[torch, jax].of, at[torch, jax].level) == ("98 %", "118 of 120", "most")
    assert (at[torch, tensorflow].of, at[torch, tensorflow].level) == ("1 of 3", "few")
    assert at[torch, torch].level == "self"
    assert len(rows) == len(examples.OBSERVED)


def test_only_all_of_some_is_100_percent() -> None:
    """2,399 of 2,400 is 99 %, and 0 of 0 is a dash: neither is shown as full agreement."""
    cells = [cell for row in matrix(examples.full()) for cell in row.cells]
    assert {(c.percent, c.level) for c in cells if c.of == "2,399 of 2,400"} == {("99 %", "most")}
    assert {(c.percent, c.level) for c in cells if c.of == "not compared"} == {("–", "none")}
    assert {c.of for c in cells if c.level == "all"} == {c.of for c in cells if c.percent == "100 %"} == {"290 of 290"}


def test_totals_keep_every_outcome_and_dimension() -> None:
    """One row per observed target, in the columns' order; zeros are marked as such and failures as bad."""
    row = totals(examples.full())[-1]
    assert row.name.full == examples.KERAS.name
    assert [c.text for c in row.counts] == ["190", "4", "106", "1", "0", "0", "180", "10", "90", "50", "50"]
    assert [c.tone for c in row.counts[3:8]] == ["bad", "zero", "zero", "good", "bad"]


def test_unavailable_targets_keep_their_reason() -> None:
    """A target that gave nothing is listed with its reason, cleaned, and not in the totals."""
    missing = {entry.name.full: entry.reason for entry in unavailable(examples.full())}
    assert set(missing) == {examples.OLD.name, examples.PADDLE.name}
    assert missing[examples.OLD.name].startswith("import failed: ‹ESC›[31mred")


def test_the_most_frequent_skip_reasons_come_first_and_the_rest_is_counted() -> None:
    """Eight reasons are listed; the others are summed up rather than dropped."""
    entry = next(s for s in skips(examples.full()) if s.name.full == examples.TENSORFLOW.name)
    assert entry.reasons[0] == ("stride 2 with dilation 2", "36")
    assert len(entry.reasons) == 8
    assert entry.rest == "and 128 cases for 4 other reasons"


def test_findings_stand_in_the_order_of_gravity() -> None:
    """Wrong results come first, limitations last, every one of them with its id as its anchor."""
    shown = articles(examples.findings())
    assert [a.verdict.tone for a in shown] == ["wrong-result", "crash", "contract", "limitation"]
    assert {a.anchor for a in shown} == {finding.id for finding in examples.findings()}


def test_an_article_shows_the_figures_or_says_that_there_are_none() -> None:
    """Sizes, errors and the first difference are written out; None, NaN and infinity have their own signs."""
    value, crash, contract, limitation = articles(examples.findings())
    assert (value.worst_error, value.bound_ratio) == ("12", "∞")
    assert value.sides is not None
    assert value.sides.place == "first at [0, 0, 0, 1]: expected -2, observed NaN"
    assert (crash.sides, crash.observed_size) == (None, "–")
    assert (limitation.expected_size, limitation.observed_size) == ("8 × 8", "7 × 8")
    assert (limitation.worst_error, limitation.bound_ratio) == ("NaN", "–")
    assert contract.case_line.startswith("torch.nn.ConvTranspose(kernel_size=(3,), stride=(2,), output_padding=(2,)")


def test_a_log_keeps_its_end() -> None:
    """The last words of a crash are shown, and how much came before them."""
    log = articles(examples.findings())[1].log
    assert log.endswith("last words")
    assert log.startswith("[")
    assert "characters before]" in log


def test_only_https_rules_become_links() -> None:
    """A javascript address is shown as text."""
    value, crash, contract, _ = articles(examples.findings())
    assert value.rule_link is not None
    assert crash.rule_link is not None
    assert (contract.rule_link, contract.rule_url) == (None, "javascript:alert(3)")


@pytest.mark.parametrize("data", [{}, {"schema": 99}, {"schema": 1, "input_size": "x"}, {"layer": {"a": float("nan")}}])
def test_a_case_that_cannot_be_read_is_shown_as_it_is(data: dict[str, Any]) -> None:
    """A case of another version is shown as JSON and does not stop the report."""
    assert case_line(data).startswith("{")


def test_reached_shifted_and_unreachable_sizes_are_told_apart() -> None:
    """The worked example: every API's way to 7 and 8, with its crop, and which one it picks."""
    axis = layer_sizes(examples.size_tables()[0]).axes[0]
    rows = {row.api: row for row in axis.rows}
    assert (axis.title, axis.valid) == ("Axis 0", "7 or 8")
    assert [(c.size, c.crop, c.valid) for c in axis.columns] == [(7, "(0, 0)", True), (8, "(0, −1)", True)]
    torch, jax = rows["torch.nn.ConvTranspose"], rows["jax.lax.conv_transpose"]
    assert [c.state for c in torch.cells] == ["same", "same"]
    assert [(c.state, c.crop) for c in jax.cells] == [("same", "(0, 0)"), ("shifted", "(−1, 0)")]
    assert rows["keras.layers.ConvTranspose"].cells[1].state == "unreachable"
    assert [c.default for c in torch.cells] == ["default", ""]
    assert torch.cells[1].arguments == "stride=2, output_padding=1"


def test_a_size_that_must_be_given_is_no_default() -> None:
    """An API without a default says so, and no cell of its row is marked as the default."""
    row = next(r for r in layer_sizes(examples.size_tables()[0]).axes[0].rows if r.api == "tf.nn.conv_transpose")
    assert row.default == "must be given"
    assert not any(cell.default for cell in row.cells)


def test_a_default_that_is_not_valid_gets_its_own_column() -> None:
    """An API that picks a size outside the valid ones is shown there, and the column is marked."""
    axis = layer_sizes(examples.size_tables()[1]).axes[1]
    assert axis.valid == "11, 12 or 13"
    assert [(c.size, c.valid) for c in axis.columns] == [(11, True), (12, True), (13, True), (14, False)]
    torch, jax = axis.rows
    assert (jax.cells[3].state, jax.cells[3].default) == ("shifted", "default")
    assert torch.cells[3].state == "unknown"


def test_a_size_that_is_picked_shifted_is_not_taken_for_the_one_that_is_reached() -> None:
    """JAX reaches 6 with PyTorch's crop by pairs, but picks it with the crop of SAME: the cell says both."""
    same, shifted = (Reach({}, "", Crop(*ends), same_crop=ends == (1, 0)) for ends in ((1, 0), (0, 1)))
    api = ApiSizes("jax", 6, {6: same}, (), picked=shifted)
    axis = AxisSizes(0, 3, (6,), (Crop(1, 0),), (api,))
    shown = layer_sizes(SizeTable(Layer(kernel_size=3, stride=2, padding=1, ndim=1), (axis,)))
    (cell,) = shown.axes[0].rows[0].cells
    assert (cell.state, cell.default) == ("same", "default is shifted")


def test_a_row_has_its_own_forward_rules_or_says_why_it_cannot_be_asked() -> None:
    """Each padding with what is valid by it; no rule is said, too."""
    rules = (OwnRule("SAME", (5, 6), Rule("")), OwnRule((1, 2), tuple(range(7, 27)), Rule("")))
    apis = (
        ApiSizes("a", 5, {}, (), rules=rules),
        ApiSizes("b", None, {}, ()),
        ApiSizes("c", None, {}, (5,), limit="no"),
    )
    axis = AxisSizes(0, 3, (5,), (Crop(0, 0),), apis)
    (shown,) = layer_sizes(SizeTable(Layer(kernel_size=3, ndim=1), (axis,))).axes
    assert [row.rules for row in shown.rows] == [("SAME: 5 or 6", "padding=(1, 2): 7 to 26"), ("no forward rule",), ()]
    assert [(row.default, row.limit) for row in shown.rows] == [
        ("5", ""),
        ("must be given", ""),
        ("cannot be asked", "no"),
    ]
    assert shown.forward == "5 → 3"
    assert "1 must be told" in shown.summary


def test_equal_axes_are_shown_once() -> None:
    """Two axes with the same parameters and the same answers are one table that names both."""
    reach = {7: Reach({"stride": 2}, "…", Crop(0, 0), same_crop=True)}
    axes = tuple(AxisSizes(i, 3, (7, 8), examples.FULL, (ApiSizes("torch", 7, reach, (8,)),)) for i in (0, 1))
    shown = layer_sizes(SizeTable(Layer(kernel_size=3, stride=2, ndim=2), axes))
    assert [axis.title for axis in shown.axes] == ["Axes 0 and 1 (the same)"]


def test_the_summary_counts_what_apis_pick() -> None:
    """What happens when nobody names a size is said in one sentence."""
    axis = layer_sizes(examples.size_tables()[0]).axes[0]
    expected = "Left to themselves, 3 APIs pick 7, 1 must be told. 1 API reaches a size only with shifted values."
    assert axis.summary == expected


def test_the_page_does_not_depend_on_when_it_is_made() -> None:
    """The same records give the same page: nothing is read from a clock or a machine."""
    assert page(examples.full(), examples.size_tables()) == page(examples.full(), examples.size_tables())
