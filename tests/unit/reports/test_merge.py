"""Several runs as one: counts added up, findings of one id counted together and told as the first one tells them."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import pytest
import report_examples as examples

from harness.records import Finding, Report, Support, TargetTotals
from harness.store import NO_RUN
from reports.merge import merged

FULL, EMPTY = examples.full(), examples.empty()


def counted(report: Report) -> tuple[object, ...]:
    """What does not depend on the order in which reports are merged."""
    return (
        report.cases,
        report.seconds,
        {name: totals_of(totals) for name, totals in report.totals.items()},
        dict(report.pairs),
        {name: dict(reasons) for name, reasons in report.skips.items()},
        {finding.id: (finding.count, finding.targets, dict(finding.facets)) for finding in report.findings},
        {info.target.name for info in report.targets},
        (report.run.finished, report.run.interrupted),
    )


def totals_of(totals: TargetTotals) -> tuple[dict[str, int], dict[int, int], int, int]:
    """Totals as plain data."""
    return dict(totals.outcomes), dict(totals.ok_by_ndim), totals.agree, totals.disagree


def finding(**changes: object) -> Finding:
    """The first finding of the examples with some fields changed."""
    return replace(examples.findings()[0], **changes)  # type: ignore[arg-type]  # fields by name, as a test writes them


@pytest.mark.parametrize("report", [FULL, EMPTY, examples.clear(), examples.many(9)])
def test_one_report_is_itself(report: Report) -> None:
    """Nothing is changed where there is nothing to merge."""
    assert merged([report]) == report


@pytest.mark.parametrize("report", [FULL, examples.many(9)])
def test_a_report_of_nothing_adds_nothing(report: Report) -> None:
    """A process that got no test has an empty report."""
    assert merged([report, EMPTY]) == report
    assert counted(merged([EMPTY, report])) == counted(report)
    assert merged([EMPTY, EMPTY]) == EMPTY


def test_counts_are_added_up() -> None:
    """Cases, observations by outcome and by number of axes, agreement, pairs and skips, target by target."""
    twice = merged([FULL, FULL])
    assert (twice.cases, twice.seconds) == (600, FULL.seconds)
    for name, totals in FULL.totals.items():
        outcomes, by_ndim, agree, disagree = totals_of(totals)
        assert totals_of(twice.totals[name]) == (
            {outcome: 2 * count for outcome, count in outcomes.items() if count},
            {ndim: 2 * count for ndim, count in by_ndim.items() if count},
            2 * agree,
            2 * disagree,
        )
    assert twice.pairs == {pair: (2 * same, 2 * both) for pair, (same, both) in FULL.pairs.items()}
    assert twice.skips == {
        name: {reason: 2 * count for reason, count in reasons.items() if count} for name, reasons in FULL.skips.items()
    }
    assert [one.count for one in twice.findings] == [2 * one.count for one in FULL.findings]


def test_what_only_one_report_has_stays() -> None:
    """A target, a pair, a reason for skipping and a finding of one process alone, from either side."""
    torch, jax = examples.TORCH.name, examples.JAX.name
    one = replace(
        EMPTY,
        totals={torch: TargetTotals({"ok": 2, "skipped": 1}, {1: 2}, 2, 0)},
        pairs={(torch, jax): (1, 2)},
        skips={torch: {"groups": 1}},
        findings=(finding(id="a"),),
    )
    other = replace(
        EMPTY,
        totals={torch: TargetTotals({"ok": 3, "crashed": 1}, {1: 1, 2: 2}, 1, 3), jax: TargetTotals({}, {}, 0, 0)},
        pairs={(torch, jax): (3, 3), (jax, torch): (0, 1)},
        skips={torch: {"dtype": 4}, jax: {"groups": 2}},
        findings=(finding(id="b"),),
    )
    both = merged([one, other])
    assert totals_of(both.totals[torch]) == ({"ok": 5, "skipped": 1, "crashed": 1}, {1: 3, 2: 2}, 3, 3)
    assert totals_of(both.totals[jax]) == ({}, {}, 0, 0)
    assert both.pairs == {(torch, jax): (4, 5), (jax, torch): (0, 1)}
    assert both.skips == {torch: {"groups": 1, "dtype": 4}, jax: {"groups": 2}}
    assert [each.id for each in both.findings] == ["a", "b"]
    assert counted(merged([other, one])) == counted(both)


def test_findings_of_one_id_are_one_finding() -> None:
    """Told by the first report that has it; its targets and facets are those of all, in order, each once."""
    one = finding(
        id="a", count=2, sentence="first", targets=("t+x", "t+z"), facets={"ndims": (2,), "modes": ("x", "z")}
    )
    other = finding(
        id="a", count=3, sentence="second", targets=("t+y", "t+x"), facets={"ndims": (3, 1), "dtypes": ("f",)}
    )
    (both,) = merged([replace(EMPTY, findings=(one,)), replace(EMPTY, findings=(other,))]).findings
    assert both == replace(
        one,
        count=5,
        targets=("t+x", "t+y", "t+z"),
        facets={"ndims": (1, 2, 3), "modes": ("x", "z"), "dtypes": ("f",)},
    )


VERIFIED = {"condition": "any(s > 1)", "support": Support(9, 9, 90, 90)}
OTHERWISE = {"condition": "any(s > 2)", "support": Support(8, 8, 80, 80)}
BASELINE = {"condition": "any(a >= s)", "support": None}


@pytest.mark.parametrize(
    ("one", "other", "kept"),
    [
        (VERIFIED, {}, VERIFIED),
        ({}, VERIFIED, VERIFIED),
        (VERIFIED, OTHERWISE, VERIFIED),
        (BASELINE, VERIFIED, BASELINE),
        ({}, {}, {}),
    ],
)
def test_a_condition_stays_with_its_support(
    one: dict[str, object], other: dict[str, object], kept: dict[str, object]
) -> None:
    """That of the first report that has one: counts belong to the condition that they were counted for."""
    nothing: dict[str, object] = {"condition": None, "support": None}
    reports = [replace(EMPTY, findings=(finding(**{**nothing, **each}),)) for each in (one, other)]
    (both,) = merged(reports).findings
    assert both == finding(**{**nothing, **kept}, count=2 * finding().count, targets=both.targets)


def test_workers_and_cases_in_flight_are_those_of_all() -> None:
    """Each process has workers of its own, of the same names."""
    first, second = examples.WORKERS
    runs = [examples.run(workers=(first, second), in_flight=2), examples.run(workers=(first,), in_flight=3)]
    both = merged([replace(EMPTY, run=run) for run in runs]).run
    assert (both.workers, both.in_flight) == ((first, second, first), 5)


def test_a_database_without_a_run_has_no_part() -> None:
    """A process that was killed before its run began; where none began, there is still a report."""
    nothing = replace(EMPTY, run=NO_RUN)
    assert merged([nothing, FULL]) == merged([FULL, nothing]) == FULL
    assert merged([nothing, nothing]) == nothing


def test_findings_stand_in_the_order_in_which_they_were_first_seen() -> None:
    """Those of the first report, then what the second one has besides."""
    names = [("b", "a"), ("c", "a", "d")]
    shown = [replace(EMPTY, findings=tuple(finding(id=name) for name in each)) for each in names]
    assert [one.id for one in merged(shown).findings] == ["b", "a", "c", "d"]


def test_targets_stand_in_the_order_of_the_first_report_as_it_knows_them() -> None:
    """A target of another process follows; one of both is told by the first."""
    first, second, *_ = FULL.targets
    lost = replace(first, available=False, reason="ended")
    one, other = replace(EMPTY, targets=(second, first)), replace(EMPTY, targets=(lost, FULL.targets[2], second))
    assert merged([one, other]).targets == (second, first, FULL.targets[2])
    assert merged([other, one]).targets == (lost, FULL.targets[2], second)


@pytest.mark.parametrize(
    ("one", "other", "finished"),
    [
        ("2026-01-04T03:17:19Z", "2026-01-04T03:18:00Z", "2026-01-04T03:18:00Z"),
        ("2026-01-04T03:18:00Z", "2026-01-04T03:17:19Z", "2026-01-04T03:18:00Z"),
        (None, "2026-01-04T03:17:19Z", "2026-01-04T03:17:19Z"),
        (None, None, None),
    ],
)
def test_the_last_to_finish_finishes_the_run(one: str | None, other: str | None, finished: str | None) -> None:
    """The rest of the run is the first one's."""
    runs = [replace(EMPTY, run=examples.run(finished=end, id=name)) for end, name in ((one, "a"), (other, "b"))]
    both = merged(runs)
    assert both.run == replace(runs[0].run, finished=finished)


def test_a_run_is_interrupted_where_one_of_its_processes_was() -> None:
    """Cases are missing then, whichever it was."""
    whole, cut = EMPTY, replace(EMPTY, run=examples.run(interrupted=True))
    assert [merged(pair).run.interrupted for pair in ([whole, cut], [cut, whole], [whole, whole])] == [
        True,
        True,
        False,
    ]


def test_processes_run_side_by_side() -> None:
    """The longest of them is the session's time; their sum would be longer than it took."""
    assert merged([replace(EMPTY, seconds=seconds) for seconds in (1.5, 4.0, 2.0)]).seconds == 4.0


def test_merging_in_steps_is_merging_at_once() -> None:
    """Three reports, in any grouping; counts in any order."""
    third = replace(examples.many(6), cases=7, skips={examples.JAX.name: {"groups": 1}})
    every = [FULL, examples.clear(), third]
    at_once = merged(every)
    assert merged([merged(every[:2]), third]) == at_once == merged([FULL, merged(every[1:])])
    assert counted(reduce(lambda one, other: merged([other, one]), every)) == counted(at_once)


def test_merging_changes_none_of_the_reports() -> None:
    """They are frozen; what they hold is not, and is left alone."""
    before = counted(examples.full())
    merged([FULL, FULL, EMPTY])
    assert counted(FULL) == before
