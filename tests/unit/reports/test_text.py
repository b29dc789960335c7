"""Text from outside is shown whole, visible and in order, or says what is missing."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.text import clean, clip, clip_start, duration, link, number, size


@given(st.text())
def test_cleaned_text_has_no_character_that_hides_or_reorders(text: str) -> None:
    """Whatever comes in: no control, format, surrogate or unassigned character goes out, and cleaning is idempotent."""
    shown = clean(text)
    bad = {char for char in shown if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}}
    assert bad <= {"\n", "\t"}
    assert clean(shown) == shown


@given(st.text(max_size=60), st.integers(1, 40))
def test_clipping_accounts_for_every_character(text: str, limit: int) -> None:
    """What is shown and what is counted as left out are together the whole text, from either end."""
    head, tail = clip(text, limit), clip_start(text, limit)
    if len(clean(text)) <= limit:
        assert head == tail == clean(text)
        return
    kept, _, note = head.rpartition(" … [")
    left_out = int(note.split()[0])
    assert kept == clean(text[: len(text) - left_out])
    assert len(kept) <= limit
    counted, _, end = tail.removeprefix("[").partition(" characters before] … ")
    assert end == clean(text[int(counted) :])
    assert len(end) <= limit


def test_expansion_cannot_be_used_to_fill_the_page() -> None:
    """The limit holds for what is shown, although one invisible character takes eight to name."""
    assert len(clip("\u202e" * 10_000, 100)) < 140


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "javascript:alert(1)", "data:text/html,x", "//example.com", "https://", "", "https:x"),
        *(
            "https://docs.pytorch.org@evil.example/",
            "https://a.b/\u202egpj",
            "https://a.b/ c",
            "https://[::1",
            " https://a.b",
        ),
    ],
)
def test_other_addresses_do_not_become_links(url: str) -> None:
    """Only an https address with a plain host may be followed from a report."""
    assert link(url) is None


def test_https_addresses_become_links() -> None:
    """Documentation can be followed, with its fragment."""
    assert link("https://www.tensorflow.org/api#args") == "https://www.tensorflow.org/api#args"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (float("nan"), "NaN"),
        (float("inf"), "∞"),
        (float("-inf"), "−∞"),
        (0.0, "0"),
        (1234567.0, "1.23e+06"),
    ],
)
def test_figures_that_are_not_numbers_are_said(value: float | None, shown: str) -> None:
    """None, NaN and infinities each have their own sign; none of them looks like zero."""
    assert number(value) == shown


def test_sizes_and_times_read_well() -> None:
    """A missing size is a dash, and a time that is not finite does not stop the report."""
    assert (size((8, 9)), size(None), size((7,))) == ("8 × 9", "–", "7")
    assert (duration(0.0), duration(59.96), duration(float("nan"))) == ("0.0 s", "60.0 s", "–")
