"""Text for the terminal. What a framework said is hostile: no control character of it reaches the terminal."""

from __future__ import annotations

import unicodedata


def clean(text: object) -> str:
    r"""The text on one line, control and direction characters written out.

    >>> clean("a\x1b[31mb\nc")
    'a\\x1b[31mb c'
    """
    return "".join(_shown(character) for character in str(text).replace("\n", " "))


def _shown(character: str) -> str:
    if unicodedata.category(character) not in ("Cc", "Cf", "Cs"):
        return character
    return character.encode("unicode_escape").decode() if ord(character) < 0xD800 else "\N{REPLACEMENT CHARACTER}"
