"""Copied calls in an audit: what was foretold is kept where running it shows the same, and where it does not, said."""

from __future__ import annotations

import pytest

from harness.audit.copied import Copied, observed
from harness.ported import Naive

RIGHT = Naive(size_equal=True, value_equal=True, reason=None, call="f(x)")


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (None, RIGHT),
        ("assert True", Naive(True, True, None, "f(x)", confirmed=True)),
        (
            "raise ValueError('no such kernel')",
            Naive(
                False,
                False,
                "otherwise than documented, when it is run: ValueError: no such kernel",
                "f(x)",
                confirmed=False,
            ),
        ),
    ],
)
def test_what_is_run_is_believed(program: str | None, expected: Naive) -> None:
    """A copied call that fails is relied upon for nothing, and its reason is said; one that cannot be run stays."""
    assert observed([Copied(RIGHT, program)], {}) == [expected]
