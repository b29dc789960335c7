"""The two errors of ours: a value that breaks a rule of the model, and input that a person has to mend."""

from __future__ import annotations


class InvalidField(ValueError):
    """A field of the model holds a value that breaks a rule.

    >>> raise InvalidField("stride", (0,), "must be at least 1 on every axis")
    Traceback (most recent call last):
    harness.errors.InvalidField: stride=(0,): must be at least 1 on every axis
    """

    def __init__(self, field: str, value: object, rule: str) -> None:
        self.field = field
        self.value = value
        self.rule = rule
        super().__init__(f"{field}={_shown(value)}: {rule}")


class UsageError(Exception):
    """Something a person asked for cannot be done; the message is one line and says what to do (exit status 2)."""


class Unavailable(Exception):
    """No target can be loaded; the message is one line with the remedy (exit status 3)."""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
