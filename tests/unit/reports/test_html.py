"""The page: self-contained, closed to what data would smuggle in, complete, small, whole or not there."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import report_examples as examples

from harness.layer import Spelling
from harness.records import Report, SizeTable
from harness.store import NO_RUN
from reports import files, html

Element = tuple[str, tuple[str, ...]]


class Page(HTMLParser):
    """Everything that a browser would make of a page: elements, attributes, texts by element."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element and its attributes."""
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)

    def values(self, name: str) -> list[str]:
        """The values of every attribute of that name."""
        return [value for _, attribute, value in self.attributes if attribute == name]

    @property
    def text(self) -> str:
        """The text of the page, spaces collapsed."""
        return " ".join("".join(self.texts).split())


@pytest.fixture(scope="module")
def rendered() -> str:
    """The page of the full example."""
    return html.render(examples.full(), examples.size_tables())


@pytest.fixture(scope="module")
def parsed(rendered: str) -> Page:
    """The same, parsed."""
    return Page(rendered)


@pytest.mark.parametrize("text", examples.HOSTILE)
def test_no_text_becomes_markup(text: str) -> None:
    """With hostile text in every field the page has the very elements and attributes that plain words give it."""
    hostile = Page(html.render(*examples.hostile_everywhere(text)))
    plain = Page(html.render(*examples.hostile_everywhere("plain")))
    assert hostile.elements == plain.elements


@pytest.mark.parametrize("text", examples.HOSTILE)
def test_no_character_hides_or_reorders_others(text: str) -> None:
    """No control, bidirectional or invisible character of the data reaches the page, and it can be written as UTF-8."""
    page = html.render(*examples.hostile_everywhere(text))
    raw = {char for char in page if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}}
    assert raw == {"\n"}
    page.encode()


def test_hostile_text_is_still_there_to_read(parsed: Page) -> None:
    """Escaped is not deleted: a reader sees the script, the handler and the template as the framework wrote them."""
    for text in (examples.SCRIPT, examples.HANDLER, "{{ 7*7 }}", "‹ESC›[31mred‹ESC›[0m", "abc‹U+202E›fdp.exe"):
        assert text in parsed.text


def test_nothing_is_loaded_and_nothing_runs(parsed: Page) -> None:
    """No script, frame, form, image or style attribute; every address is a fragment, data: or https in a link."""
    tags = {tag for tag, _ in parsed.elements}
    assert not tags & {"script", "iframe", "object", "embed", "form", "img", "base", "video", "audio"}
    names = {name for _, name, _ in parsed.attributes}
    assert not {name for name in names if name == "style" or name.startswith("on")}
    assert "src" not in names
    for tag, name, value in parsed.attributes:
        if name == "href":
            assert value.startswith("#") or value == "data:," or (tag == "a" and value.startswith("https://"))


def test_links_that_leave_tell_nothing_to_the_other_side(parsed: Page) -> None:
    """Every https link carries rel="noopener noreferrer"."""
    away = [value for value in parsed.values("href") if value.startswith("https://")]
    assert len(away) == parsed.values("rel").count("noopener noreferrer") == 2


def test_the_policy_allows_the_own_style_sheet_alone(rendered: str) -> None:
    """default-src is 'none' and the hash in the policy is that of the style sheet as it stands in the page."""
    style = re.findall(r"<style>(.*?)</style>", rendered, re.DOTALL)
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', rendered)
    assert len(style) == len(policy) == 1
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    assert policy[0] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert rendered.index("Content-Security-Policy") < rendered.index("<style>")


def test_every_finding_is_an_anchor_and_every_anchor_exists(parsed: Page) -> None:
    """The summary leads to each finding by its id; no link inside the page leads nowhere and no id is there twice."""
    ids = parsed.values("id")
    assert len(ids) == len(set(ids))
    targets = {value[1:] for value in parsed.values("href") if value.startswith("#")}
    assert targets <= set(ids)
    assert {finding.id for finding in examples.findings()} <= targets


def test_the_page_is_built_for_everybody(parsed: Page) -> None:
    """Language, title, landmarks, a skip link, captions and header scopes are there; labels point to what exists."""
    tags = [tag for tag, _ in parsed.elements]
    assert ("html", "lang", "en") in parsed.attributes
    assert {"title", "header", "nav", "main", "footer"} <= set(tags)
    assert [tags.count(tag) for tag in ("main", "h1")] == [1, 1]
    assert tags.count("table") == tags.count("caption")
    assert all("scope" in names for tag, names in parsed.elements if tag == "th")
    labels = {label for name in ("aria-labelledby",) for value in parsed.values(name) for label in value.split()}
    assert labels <= set(parsed.values("id"))


def test_marks_of_the_size_table_do_not_rest_on_colour(parsed: Page) -> None:
    """Shifted, reached, default and must be given are words; the crop stands beside the mark."""
    for words in ("≠ shifted crop (−1, 0)", "✓ reached default crop (0, 0)", "must be given", "not a valid size"):
        assert words in parsed.text
    assert "3 may become 7 or 8" in parsed.text


def test_known_findings_stand_apart_folded_with_their_baseline_id(rendered: str) -> None:
    """After the others, in one closed fold, with the id under which the baseline accepts them; nothing is left out."""
    before, _, fold = rendered.partition('<details class="known">')
    assert 'id="3fa9c0de1b22"' in before
    assert "b2c4d6e8f0a1" not in before
    known = Page(fold[: fold.index('id="section-sizes"')])
    assert known.text.startswith("1 known finding")
    assert "baseline torch-output-padding" in known.text
    assert "b2c4d6e8f0a1" in known.values("id")


def test_without_a_baseline_there_is_no_fold_and_without_new_findings_no_alarm() -> None:
    """All findings new: no fold. All known: the verdict in place of the list, and the fold below it."""
    assert '<details class="known">' not in html.render(examples.judged("unknown"))
    page = html.render(examples.judged("known", "known"))
    assert '<p class="empty"><b>Nothing new: 2 known findings in 300 cases; 4 frameworks.</b>' in page
    assert "verdict-clear" in page


def test_programs_can_read_every_finding(parsed: Page) -> None:
    """Each article's data-finding is JSON with the id, the suspect and the minimal case, or the case without one."""
    data = {entry["id"]: entry for entry in map(json.loads, parsed.values("data-finding"))}
    assert set(data) == {finding.id for finding in examples.findings()}
    for finding in examples.findings():
        assert data[finding.id]["suspect"] == finding.suspect
        assert data[finding.id]["case"] == (finding.case if finding.minimal is None else finding.minimal)


@pytest.mark.parametrize("text", [*examples.HOSTILE, "long " * 2000])
def test_what_programs_read_is_complete(text: str) -> None:
    """Neither cleaning nor clipping nor escaping changes it, although people see the text cleaned and cut."""
    finding = replace(examples.findings()[0], suspect=text, case={text: [text]}, minimal=None)
    page = Page(html.render(replace(examples.full(), findings=(finding,))))
    (data,) = page.values("data-finding")
    assert json.loads(data) == {"id": finding.id, "suspect": text, "case": {text: [text]}}


def test_a_report_of_nothing_renders() -> None:
    """Zero targets, cases, observations and findings give a page that says so, section by section."""
    text = Page(html.render(examples.empty())).text
    assert "No case ran, so nothing was found and nothing is claimed." in text
    assert "No target gave an observation." in text
    assert "nothing to compare" in text
    assert "No layer with a stride above 1 was sampled" in text


def test_an_interrupted_run_says_so() -> None:
    """The reader of half a run learns that it is half a run."""
    report = replace(examples.full(), run=examples.run(interrupted=True, finished=None))
    assert "Interrupted. The run was stopped before its end" in Page(html.render(report)).text
    assert "Interrupted." not in Page(html.render(examples.full())).text


@pytest.mark.parametrize(
    ("changes", "notice"),
    [
        (
            {"finished": None, "in_flight": 37},
            "The run has no end. It was killed or is still going on: 37 cases were in",
        ),
        ({"finished": None}, "The run has no end. It was killed or is still going on: 0 cases were in flight."),
        ({"interrupted": True, "in_flight": 1}, "observed until then is shown. 1 case was in flight."),
        ({"in_flight": 2}, "A part of the run has no end. It was killed: 2 cases were in flight."),
    ],
)
def test_a_run_that_was_killed_says_so(changes: dict[str, object], notice: str) -> None:
    """And how many cases were put to the targets and never judged."""
    assert notice in Page(html.render(replace(examples.full(), run=examples.run(**changes)))).text


def test_a_database_without_a_run_makes_a_page_that_says_so() -> None:
    """No seed, no time and no version are made up."""
    text = Page(html.render(Report(NO_RUN, (), 0, 0.0, {}, {}, (), {}))).text
    assert "Nothing was observed. No run has begun in this database." in text
    assert "No case ran, so nothing was found and nothing is claimed." in text
    assert not [word for word in ("Seed", "Started", "Duration") if word in text]


def test_a_finding_says_where_it_shows(rendered: str) -> None:
    """The verified condition with its counts, that of the baseline as such; in the list and in the article."""
    before, _, fold = rendered.partition('<details class="known">')
    verified = "where: any(d > 1 and k > 1): fails 412 of 412, passes 1,900 of 1,900 outside"
    assert Page(before).text.count(verified) == 2
    known = Page(fold[: fold.index('id="section-sizes"')]).text
    assert known.count("where, by the baseline: any(a >= s)") == 2
    assert "passes" not in known


def test_a_further_finding_of_a_signature_leads_to_the_first() -> None:
    """By a link where the first is on the page; otherwise by its id alone."""
    (first,) = examples.judged("unknown").findings
    further = replace(first, id=f"{first.id}-2")
    both, alone = (Page(html.render(replace(examples.full(), findings=f))) for f in ((first, further), (further,)))
    for page in (both, alone):
        assert f"Same signature as {first.id}, kept apart by where it shows." in page.text
    assert both.values("href").count(f"#{first.id}") == alone.values("href").count(f"#{first.id}") + 3 == 3


def test_what_ran_tells_settings_environments_and_workers(parsed: Page) -> None:
    """What all processes are started with once, what some have besides by target; time, share and memory by worker."""
    old = replace(examples.full().targets[0], target=examples.OLD, version="2.0.1", settings=examples.COMMON)
    text = Page(html.render(replace(examples.full(), targets=(*examples.full().targets[:6], old)))).text
    assert "is started with OMP_NUM_THREADS=1 TF_CPP_MIN_LOG_LEVEL=2." in text
    assert f"torch 2.13.0 this interpreter TORCH_LOGS=off {examples.HANDLER} {examples.TORCH.name}" in text
    assert f"torch 2.0.1 old – {examples.OLD.name}" in text
    assert "harness.frameworks.torch 2 min 17 s 87 % 1 min 59 s 394 MiB" in parsed.text
    assert "harness.frameworks.tensorflow 2 min 16 s 25 % 34.0 s 3.0 GiB" in parsed.text


def test_five_hundred_findings_fit_into_three_megabytes() -> None:
    """Large logs of hundreds of findings are clipped so that the page still opens."""
    mixed = examples.many(500)
    logs = tuple(replace(finding, log_tail='error: "<no>" & \x1b[31m\n' * 500) for finding in mixed.findings)
    for report in (mixed, replace(mixed, findings=logs)):
        assert len(html.render(report, examples.size_tables()).encode()) < 3_000_000


def test_writing_replaces_the_file_whole(tmp_path: Path) -> None:
    """The page lands at its path with the folder's ordinary permissions and leaves nothing else behind."""
    path = tmp_path / "report.html"
    path.write_text("old")
    files.replace_text(path, html.render(examples.full()))
    assert path.read_text(encoding="utf-8") == html.render(examples.full())
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
    (tmp_path / "plain").write_text("")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    """What cannot be encoded or written does not destroy the report that was there."""
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        files.replace_text(path, "\ud800")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def table_page(text: str = "plain") -> str:
    """The page of ``deconvdiff sizes``, with a text wherever one can be."""
    (table,) = examples.hostile_everywhere(text)[1]
    asked = replace(table, source=Spelling(text, {text: text}), skipped={(1,): text})
    return html.render_sizes(asked, command=text, version=text)


@pytest.mark.parametrize("text", examples.HOSTILE)
def test_no_text_becomes_markup_on_the_page_of_sizes(text: str) -> None:
    """Names, arguments, reasons and the command are escaped and cleaned there, too."""
    page = table_page(text)
    assert Page(page).elements == Page(table_page()).elements
    raw = {char for char in page if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}}
    assert raw == {"\n"}


@pytest.mark.parametrize("table", examples.size_tables(), ids=["one axis", "two axes"])
def test_the_page_of_sizes_is_closed_and_built_for_everybody(table: SizeTable) -> None:
    """No script, no style attribute, its own style sheet alone; one main, labels that exist, every drawing named."""
    text = html.render_sizes(table)
    found = Page(text)
    tags = [tag for tag, _ in found.elements]
    assert "script" not in tags
    assert not [name for _, name, _ in found.attributes if name == "style" or name.startswith("on")]
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in text
    assert [tags.count(tag) for tag in ("main", "h1")] == [1, 1]
    assert tags.count("table") == tags.count("caption")
    assert all("scope" in names for tag, names in found.elements if tag == "th")
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    assert {label for value in found.values("aria-labelledby") for label in value.split()} <= set(ids)
    assert {value[1:] for value in found.values("href") if value.startswith("#")} <= set(ids)
    drawings = [names for tag, names in found.elements if tag == "svg"]
    assert all("aria-labelledby" in names or "aria-hidden" in names for names in drawings)


def test_every_mark_of_the_picture_has_a_shape_and_a_word() -> None:
    """The legend explains what is drawn, and the table has the same without a drawing."""
    text = html.render_sizes(examples.size_tables()[0])
    found = Page(text).text
    for word in ("reached, with the asked crop", "same size, shifted values", "cannot: no arguments reach it"):
        assert word in found
    for word in ("7: reached, picked", "8: shifted", "8: cannot", "7 and 8 → 3", "3 may become 7 or 8"):
        assert word in found
    assert text.count('class="sign') > 6
    assert text.count('class="picks"') > 3
    assert "No output size is valid" not in found
