"""The summary in Markdown: complete, inert whatever a framework wrote, and never too large for a forge."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import report_examples as examples
from markdown_it import MarkdownIt

from harness.records import Report, Rule
from reports import markdown
from reports.text import clean

VOID = {"br", "hr", "img"}


class Rendered(HTMLParser):
    """What a forge would show: elements with attributes, and every piece of text that is not code."""

    def __init__(self, summary: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.pieces: list[str] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(summary))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element; spans only part text."""
        if tag not in VOID:
            self._open.append(tag)
        if tag != "span":
            self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]

    def handle_endtag(self, tag: str) -> None:
        """Every element ends where the last one that began does: nothing is left open."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note a piece of text."""
        self.texts.append(data)
        if not {"code", "pre"} & set(self._open):
            self.pieces.append(data)

    @property
    def text(self) -> str:
        """The whole text, spaces collapsed."""
        return " ".join("".join(self.texts).split())


def test_the_summary_begins_with_the_verdict_of_the_page() -> None:
    """The heading is the sentence of the HTML report, followed by how far it goes."""
    lines = markdown.render(examples.full()).splitlines()
    assert lines[0] == "## deconvdiff: 2 new findings, 1 expired, 1 known in 300 cases; 4 frameworks"
    assert "1,440 judged observations" in lines[2]


def test_the_summary_says_what_ran() -> None:
    """Seed, profile, cases, time and the frameworks' versions are listed."""
    text = Rendered(markdown.render(examples.full())).text
    for part in (
        "Seed: 20260104",
        "Profile: default",
        "Cases: 300",
        "Duration: 2 min 17 s",
        "torch 2.13.0, jax 0.10.2",
    ):
        assert part in text


def test_targets_have_a_row_each_or_a_reason() -> None:
    """Every outcome and both of the judge's counts stand in the row; a target that gave nothing has its reason."""
    lines = markdown.render(examples.full()).splitlines()
    assert (
        "| target | framework | ok | rejected | skipped | crashed | timed out | out of memory | agree | disagree |"
        in lines
    )
    row = "| <code>keras.layers.ConvTranspose+eager</code> | keras 3.15.1 | 190 | 4 | 106 | 1 | 0 | 0 | 180 | 10 |"
    assert row in lines
    assert "- <code>paddle.nn.ConvTranspose+eager</code>: not installed: pip install x" in lines


def test_findings_are_listed_the_gravest_first_and_the_known_ones_apart() -> None:
    """The table has what is new or expired; the baseline's own are in one fold with the baseline's id."""
    summary = markdown.render(examples.full())
    listed, _, folds = summary.partition("<details>")
    assert re.findall(r"^\| <code>([0-9a-f-]+)</code>", listed, re.MULTILINE) == [
        "3fa9c0de1b22",
        "9a8b7c6d5e4f-2",
        "0f1e2d3c4b5a",
    ]
    assert "b2c4d6e8f0a1" not in listed
    known = folds[folds.index("<details><summary>1 known finding</summary>") :]
    assert "| <code>b2c4d6e8f0a1</code> | <code>torch-output-padding</code> |" in known
    assert summary.count("<details>") == summary.count("</details>") == 4


def test_a_finding_can_be_unfolded() -> None:
    """Its fold has suspect, cause, case, sizes, error, the rule with its link, and the command in a code block."""
    summary = markdown.render(examples.full())
    fold = summary[summary.index("<details>") : summary.index("</details>")]
    text = Rendered(fold + "</details>").text
    for part in (
        *("Suspect: jax.lax.conv_transpose+jit", "Cause: shifted by (1)", "Minimal case: ConvTranspose1d(1, 1,"),
        *("Output size: expected 8 × 8, observed 8 × 8", "Worst error: 12; error / bound ∞", "Rule: This module"),
    ):
        assert part in text
    assert '(<a href="https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html">' in fold
    assert "\n\n```sh\ndeconvdiff replay --db .deconvdiff/results.sqlite 3fa9c0de1b22\n```\n\n" in fold


def test_a_long_sentence_is_short_in_the_fold_line_and_whole_inside() -> None:
    """Tables and fold lines stay readable; nothing of the sentence is lost."""
    sentence = "a long word " * 60 + "end"
    summary = markdown.render(replace(examples.full(), findings=(replace(examples.findings()[2], sentence=sentence),)))
    assert summary.count(sentence) == 1
    assert f"- **In full:** {sentence}" in summary.splitlines()


@pytest.mark.parametrize("text", examples.HOSTILE)
def test_no_text_becomes_markup(text: str) -> None:
    """With hostile text in every field the rendered summary has the elements that plain words give it."""
    hostile = Rendered(markdown.render(examples.hostile_everywhere(text)[0]))
    plain = Rendered(markdown.render(examples.hostile_everywhere("plain")[0]))
    assert hostile.elements == plain.elements
    assert not hostile.links


@pytest.mark.parametrize("text", examples.HOSTILE)
def test_no_text_becomes_a_link_of_the_forge(text: str) -> None:
    """Mentions, issues, addresses, emoji and formulas are sought in each piece of text: none has one."""
    pieces = Rendered(markdown.render(examples.hostile_everywhere(text)[0])).pieces
    links = re.compile(r"@\w|#\d|\w+://|www\.\w|\bGH-\d|:\w+:|\$\S", re.IGNORECASE)
    assert not [piece for piece in pieces if links.search(piece)]


@pytest.mark.parametrize("text", examples.HOSTILE)
def test_no_character_hides_and_no_text_is_lost(text: str) -> None:
    """Whatever a framework wrote is there to read as it wrote it, invisible characters by name."""
    summary = markdown.render(examples.hostile_everywhere(text)[0])
    raw = {char for char in summary if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}}
    assert raw == {"\n"}
    said, nothing = (replace(examples.findings()[2], sentence=sentence) for sentence in (text, "plain"))
    shown, plain = (
        Rendered(markdown.render(replace(examples.full(), findings=(one,)))).text.count(" ".join(clean(text).split()))
        for one in (said, nothing)
    )
    assert shown == plain + 2


@pytest.mark.parametrize("command", ["a ``` b", "```", "````\n</details>\n# x\n`````", "~~~\n```sh"])
def test_no_command_closes_its_own_fence(command: str) -> None:
    """The fence is longer than any run of backticks in it, and the command comes out as it went in."""
    finding = replace(examples.findings()[2], reproduce=command)
    tokens = MarkdownIt("commonmark").parse(markdown.render(replace(examples.full(), findings=(finding,))))
    assert [token.content for token in tokens if token.type == "fence"] == [f"{command}\n"]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://a.b", 'https://a.b/"onclick="x', "https://a@b.c/"])
def test_only_safe_addresses_become_links(url: str) -> None:
    """Others are text; an https address with quotes stays inside its attribute."""
    finding = replace(examples.findings()[2], rule=Rule("said", url))
    rendered = Rendered(markdown.render(replace(examples.full(), findings=(finding,))))
    assert rendered.links == ([url] if url.startswith("https://a.b") else [])
    assert not {name for _, names in rendered.elements for name in names} & {"onclick"}
    assert url in rendered.text or url in rendered.links


def test_nothing_new_is_said_without_a_list() -> None:
    """Only known findings: a good verdict, no table of findings but the folded one."""
    summary = markdown.render(examples.judged("known", "known"))
    assert summary.startswith("## deconvdiff: Nothing new: 2 known findings in 300 cases; 4 frameworks\n")
    assert "### Findings" not in summary
    assert summary.count("<details>") == 1


def test_a_report_of_nothing_renders() -> None:
    """Zero of everything gives a summary that says so."""
    summary = markdown.render(examples.empty())
    assert "No case ran, so nothing was found and nothing is claimed" in summary
    assert "No target gave an observation." in summary


def test_an_interrupted_run_says_so() -> None:
    """The reader of half a run learns that it is half a run."""
    report = replace(examples.full(), run=examples.run(interrupted=True, finished=None))
    assert "\n**Interrupted.** The run was stopped before its end" in markdown.render(report)


def test_a_run_that_was_killed_says_so() -> None:
    """And how many cases were put and never judged."""
    report = replace(examples.full(), run=examples.run(finished=None, in_flight=37))
    summary = markdown.render(report)
    assert "\n**The run has no end.** It was killed or is still going on: 37 cases were in flight. What had" in summary
    assert "- **In flight:** 37 cases, never judged" in summary.splitlines()


def test_a_fold_says_where_a_finding_shows() -> None:
    """A verified condition with its counts, one of the baseline without; a further finding names the first."""
    value, known = examples.findings()[2], examples.findings()[0]
    summary = markdown.render(
        replace(examples.full(), findings=(value, replace(value, id=f"{value.id}-2"), replace(known, status="expired")))
    )
    text = Rendered(summary).text
    assert text.count("Where: any(d > 1 and k > 1): fails 412 of 412, passes 1,900 of 1,900 outside") == 2
    assert "Where, by the baseline: any(a >= s)" in text
    assert text.count(f"Same signature as: {value.id} ") == 1


def test_known_findings_say_where_the_baseline_has_them() -> None:
    """Their table has the entry's condition."""
    known = markdown.render(examples.full()).partition("<summary>1 known finding</summary>")[2]
    assert "| <code>torch-output-padding</code> | <code>any(a &gt;= s)</code> |" in known


def test_thousands_of_findings_are_cut_and_counted() -> None:
    """Table, details and the known ones say how many are missing and where they are; listed and missing are all."""
    summary = markdown.render(examples.many(3000))
    assert len(summary.encode()) < markdown.LIMIT
    noted = re.findall(r"^([\d,]+) more findings are left out here: <code>deconvdiff report --html", summary, re.M)
    listed = [summary.count("</code> | wrong result |") + summary.count("| crash |") + summary.count("| limitation |")]
    listed += [summary.count("<details><summary><b>"), summary.count("<code>torch-output-padding</code>")]
    assert [n + int(left.replace(",", "")) for n, left in zip(listed, noted, strict=True)] == [2250, 2250, 750]


@pytest.mark.parametrize("text", ["|" * 2000, "@" * 2000, "\u202e" * 2000, "🙂" * 2000])
def test_the_size_is_bounded_whatever_the_text(text: str) -> None:
    """Escapes, names of invisible characters and wide characters count; many targets are cut like findings."""
    assert len(markdown.render(_wide(text)).encode()) < markdown.LIMIT


def _wide(text: str) -> Report:
    """A hundred targets and as many findings with ``text`` in every field."""
    report = examples.hostile_everywhere(text)[0]
    finding = replace(report.findings[0], targets=(text,) * 100, agreeing=(text,) * 100)
    known = replace(finding, status="known")
    targets = tuple(replace(info, target=replace(info.target, api=text + "3")) for info in report.targets)
    return replace(report, findings=(finding, known) * 50, targets=(*report.targets, *targets * 50))
