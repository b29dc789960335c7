"""What of an error takes part in a signature: its type and its words, never its numbers."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.judge.exceptions import last_words, normalise, without_decoration


def test_no_error_is_none() -> None:
    """An observation without an error adds nothing to a signature."""
    assert normalise(None) is None


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=3, max_size=3), st.lists(st.integers(0, 10**6), min_size=3, max_size=3))
def test_no_number_is_left(one: list[int], other: list[int]) -> None:
    """Two messages that differ in their numbers alone are one, and no digit is left."""
    message = "RuntimeError: output size {} too large for input {} on axis {}"
    found = normalise(message.format(*one))
    assert found == normalise(message.format(*other))
    assert found is not None
    assert re.search(r"\d", found) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ValueError: padding must not be negative", "TypeError: padding must not be negative"),
        ("ValueError: padding must not be negative", "ValueError: stride must not be zero here"),
    ],
)
def test_type_and_words_are_told_apart(one: str, other: str) -> None:
    """Another exception type, or other words, is another error."""
    assert normalise(one) != normalise(other)


def test_the_type_stands_in_front_of_the_words() -> None:
    """The type of the exception and the first words of its message are kept as they are."""
    found = normalise("ValueError: stride should not be zero")
    assert found is not None
    assert found.startswith("ValueError ")
    assert "stride should not be zero" in found


def test_clauses_are_taken_until_there_are_enough_words() -> None:
    """One word says too little: the next clause is taken too. What follows a long clause is left out."""
    short = normalise("ValueError: Invalid. The stride must be positive")
    assert short is not None
    assert "stride must be positive" in short
    long = normalise("ValueError: expected the stride to be positive, but got padding instead")
    assert long is not None
    assert "padding" not in long


@settings(deadline=None)
@given(st.text(max_size=2000))
def test_any_text_is_an_error_of_bounded_length(text: str) -> None:
    """Nothing that a framework says makes the judge fail, brings a number in or makes a signature's input grow."""
    found = normalise("ValueError: " + text)
    assert found is not None
    assert len(found) <= 120
    assert re.search(r"[\d\n]", found) is None


@pytest.mark.parametrize(
    "decorated",
    [
        "ValueError: \x1b[1m\x1b[31mtoo large\x1b[0m",
        "ValueError: {{node conv2d_transpose/Conv}} too large",
        "ValueError: {{function_node __wrapped__Op}}too large [Op:Conv2DBackpropInput] name: ",
        "ValueError: Exception encountered when calling Conv2DTranspose.call(). too large",
        "ValueError: too large Arguments received by Conv2DTranspose.call(): x=tf.Tensor(shape=(1, 2))",
        "ValueError: too large at loc(callsite(1))",
    ],
)
def test_what_frameworks_put_around_an_error_is_taken_off(decorated: str) -> None:
    """Colours, node names, operations, a layer's frame and locations are no part of the error, or of its signature."""
    assert without_decoration(decorated) == "ValueError: too large"
    assert normalise(decorated) == normalise("ValueError: too large")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("F0000 00:00:1 9 a.cc:12] Check failed: a == b (1 vs. 2)", "Check failed: a == b (1 vs. 2)"),
        (
            "terminate called after throwing an instance of 'int'",
            "terminate called after throwing an instance of 'int'",
        ),
        ("Fatal Python error: Segmentation fault", "Fatal Python error: Segmentation fault"),
    ],
)
def test_the_line_that_says_why_is_found_in_the_noise(line: str, words: str) -> None:
    """A failed check or a fatal error is found wherever it stands, from its first word on."""
    assert last_words(f"loading\nwarning: 3 > 2\n{line}\n*** stack\n  at 0xff\n") == words


def test_a_failed_check_says_more_than_the_fatal_error_that_follows() -> None:
    """The framework's own word goes before that of the interpreter's fault handler."""
    assert last_words("Fatal Python error: Aborted\nCheck failed: ndim\n") == "Check failed: ndim"


@pytest.mark.parametrize("log", [None, "", "noise\nmore noise"])
def test_a_log_without_last_words_has_none(log: str | None) -> None:
    """Noise is not taken for a cause."""
    assert last_words(log) == ""
