"""The machine's report: strict JSON that any reader takes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import report_examples as examples

from harness.store import NO_RUN
from reports.json import render


def _refuse(constant: str) -> float:
    raise AssertionError(constant)


def test_the_text_is_what_the_report_says() -> None:
    """Parsing gives schema 1 back, with the findings in the report's own order."""
    data = json.loads(render(examples.full()))
    assert data == examples.full().to_json()
    assert [finding["id"] for finding in data["findings"]] == [finding.id for finding in examples.findings()]


def test_conditions_workers_and_cases_in_flight_are_in_it() -> None:
    """A machine learns what a person does; where no run has begun there is none."""
    data = json.loads(render(replace(examples.full(), run=examples.run(in_flight=3, workers=examples.WORKERS))))
    assert data["findings"][2]["condition"] == "any(d > 1 and k > 1)"
    assert data["findings"][2]["condition_support"] == {"failing": 412, "inside": 412, "passing": 1900, "outside": 1900}
    assert (data["run"]["in_flight"], len(data["run"]["workers"])) == (3, 2)
    assert json.loads(render(replace(examples.empty(), run=NO_RUN)))["run"] is None


@pytest.mark.parametrize("figure", [float("nan"), float("inf"), float("-inf"), np.float32("nan")])
def test_figures_outside_json_are_null(figure: float) -> None:
    """NaN and infinities anywhere, in NumPy's types too, are null and never the words that JSON does not know."""
    finding = replace(examples.findings()[0], facets={"ratio": (figure, np.int64(3))}, bound_ratio=figure)
    text = render(replace(examples.full(), findings=(finding,), seconds=figure))
    data = json.loads(text, parse_constant=_refuse)
    assert data["findings"][0]["facets"]["ratio"] == [None, 3]
    assert data["totals"]["seconds"] is None


def test_no_text_reaches_the_terminal_raw() -> None:
    """Printed on a terminal, no control or bidirectional character of a framework does anything."""
    for text in examples.HOSTILE:
        shown = render(examples.hostile_everywhere(text)[0])
        assert shown.isascii()
        assert set(filter(lambda char: ord(char) < 0x20, shown)) == {"\n"}
