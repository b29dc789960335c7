"""The part of an error message that names the bug and not the case: it takes part in signatures."""

from __future__ import annotations

import re

#: colours, TensorFlow's node names, Keras's frame around the backend's error, and where a call was lowered
_DECORATION = re.compile(
    r"\x1b\[\d*m|\{\{[^}]*\}\} ?|Exception encountered when calling [^ ]*\. "
    r"|\[Op:.*|\bat loc\(.*|Arguments received by .*"
)
_CLAUSES = re.compile(r"[^\w\s#./-]+")
_WORDS = 4


def normalise(error: str | None) -> str | None:
    """Exception type and the first clauses of its message, numbers left out, until they hold a few words.

    >>> normalise("RuntimeError: expected stride to be a single integer value, but got stride=[1, 2]")
    'RuntimeError expected stride to be a single integer value'
    >>> normalise("ValueError: bad size 17") == normalise("ValueError: bad size 4")
    True
    """
    if error is None:
        return None
    kind, _, message = without_decoration(error).partition(":")
    words = _without_numbers(kind)
    for clause in _CLAUSES.split(message):
        words += _without_numbers(clause)
        if len(words) > _WORDS:
            break
    return " ".join(words)[:120]


def _without_numbers(text: str) -> list[str]:
    """The words; a number inside a word is a mark, and one that stands alone is nothing."""
    marked = re.sub(
        r"(?<!\w)[-+](?=\d)|\d+(?:\.\d+)?(?:e[-+]?\d+)?", lambda found: "#" * found.group()[-1].isdigit(), text
    )
    return [word for word in marked.split() if word.strip("#.-/")]


def without_decoration(error: str) -> str:
    r"""The error without what frameworks put around it: colours, node names, operations, locations.

    >>> without_decoration("ValueError: \x1b[1m{{node x}} too large [Op:Conv] name: \x1b[0m")
    'ValueError: too large'
    """
    return _DECORATION.sub("", error).strip()


def last_words(log_tail: str | None) -> str:
    r"""The line of a dead process's log that says why: a failed check or a fatal error, else nothing.

    >>> last_words("noise\nF0000 00:00:1 9 file.cc:12] Check failed: a == b (1 vs. 2)\n*** stack")
    'Check failed: a == b (1 vs. 2)'
    """
    for said in ("Check failed:", "terminate called", "Fatal Python error:"):
        for line in (log_tail or "").splitlines():
            if said in line:
                return line[line.index(said) :].strip()[:300]
    return ""
