"""A finding as the text of an issue."""

from __future__ import annotations

from harness.campaign.execute import End, Executed
from harness.campaign.issue import issue_text
from harness.records import Asked, Disagreement, Expression, Kind, Observation, Oracle, Outcome, Rule, Target

ASKED = Asked(Target("some.conv", "eager"), "conv(x)", Expression(None, ()))
RULE = Rule("sizes are positive", "https://example.org/conv")
FOUND = Disagreement(Oracle.CONTRACT, Kind.ACCEPTANCE, ASKED, Observation("some.conv+eager", Outcome.OK), rule=RULE)
ENDED = Executed(End.FAILS, "exit status 1", "AssertionError: <b>no</b>")


def test_what_a_target_said_is_text_and_no_markup() -> None:
    """Sentence and last line come from a framework: a tag in them must not act where the issue is shown."""
    text = issue_text(FOUND, "conv(x) raises ValueError: <img src=x> & more.", "conv()", ENDED, "1.0")
    assert "<img" not in text
    assert "&lt;img src=x&gt; &amp; more." in text
    assert "exit status 1: AssertionError: &lt;b&gt;no&lt;/b&gt;" in text


def test_the_script_stands_as_it_is_in_a_fence_that_it_cannot_end() -> None:
    """Whoever copies it runs what was run."""
    script = "assert 1 < 0, '```` & <b>'"
    text = issue_text(FOUND, "It is wrong.", script, ENDED, "1.0")
    assert f"`````python\n{script}\n`````\n" in text


def test_the_rule_is_said_once() -> None:
    """Beside the sentence where that does not have it already."""
    assert "Documented: sizes are positive https://example.org/conv" in issue_text(FOUND, "No.", "", ENDED, None)
    assert "Documented" not in issue_text(FOUND, "No: sizes are positive.", "", ENDED, None)
