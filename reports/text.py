"""Text that a framework wrote, made safe to look at.

Error messages, log tails, names and versions come from outside. Nothing in them may hide, reorder or recolour what
is around it: every character without a glyph of its own is shown by its name, and long text says how much is missing.
Escaping for a format (HTML, XML) is that format's business.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

NONE = "–"
_KEPT = {"\n", "\t"}
_NAMES = {0x00: "NUL", 0x07: "BEL", 0x08: "BS", 0x0D: "CR", 0x1B: "ESC", 0x7F: "DEL"}
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


class _Visible(dict[int, str]):
    """A translation table that is filled as characters are met."""

    def __missing__(self, code: int) -> str:
        shown = self[code] = _visible(chr(code))
        return shown


def _visible(char: str) -> str:
    if char in _KEPT or unicodedata.category(char) not in _UNSEEN:
        return char
    return f"‹{_NAMES.get(ord(char), f'U+{ord(char):04X}')}›"  # control pictures (␛) are missing from many fonts


_TABLE = _Visible()


def clean(text: str) -> str:
    r"""``text`` with control, bidirectional, invisible and lone surrogate characters shown by name.

    >>> clean("\x1b[31mred\x1b[0m"), clean("a\u202eb")
    ('‹ESC›[31mred‹ESC›[0m', 'a‹U+202E›b')
    """
    return text.replace("\r\n", "\n").translate(_TABLE)


def clip(text: str, limit: int) -> str:
    """``text`` cleaned, and cut after about ``limit`` characters with the count of those left out.

    >>> clip("abcdefgh", 5)
    'abcde … [3 more characters]'
    """
    kept = _fitting(text, limit, slice(None, limit))
    left_out = len(text) - len(kept)
    return clean(kept) + (f" … [{left_out:,} more characters]" if left_out else "")


def clip_start(text: str, limit: int) -> str:
    """``text`` cleaned and cut so that its end remains: the last lines of a log say why it ended.

    >>> clip_start("abcdefgh", 5)
    '[3 characters before] … defgh'
    """
    kept = _fitting(text, limit, slice(-limit, None))
    left_out = len(text) - len(kept)
    return (f"[{left_out:,} characters before] … " if left_out else "") + clean(kept)


def _fitting(text: str, limit: int, part: slice) -> str:
    """The named end of ``text``, short enough that its cleaned form fits ``limit`` too."""
    kept = text if len(text) <= limit else text[part]
    while len(shown := clean(kept)) > limit:
        keep = min(len(kept) - 1, len(kept) * limit // len(shown))
        kept = kept[:keep] if part.start is None else kept[len(kept) - keep :]
    return kept


def link(url: str) -> str | None:
    """``url`` if it may become a link: https, a host, no user name, nothing that needs cleaning; otherwise None.

    >>> link("https://docs.pytorch.org/x"), link("javascript:alert(1)"), link("https://a@b.c/")
    ('https://docs.pytorch.org/x', None, None)
    """
    if clean(url) != url or any(map(str.isspace, url)):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    return url if parts.scheme == "https" and host and "@" not in parts.netloc else None


def number(value: float | None) -> str:
    """A figure with three significant digits; None, NaN and infinities are said, not hidden.

    >>> number(0.000123456), number(None), number(float("inf")), number(float("nan")), number(12)
    ('0.000123', '–', '∞', 'NaN', '12')
    """
    if value is None:
        return NONE
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.3g}"


def count(n: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun.

    >>> count(1, "case"), count(1200, "case")
    ('1 case', '1,200 cases')
    """
    return f"{n:,} {singular if n == 1 else plural or singular + 's'}"


def size(value: Iterable[int] | None) -> str:
    """A spatial size as people write it.

    >>> size((8, 9)), size(None)
    ('8 × 9', '–')
    """
    return NONE if value is None else " × ".join(str(entry) for entry in value) or "scalar"


def either(values: Sequence[int]) -> str:
    """Sizes of which any may be meant; many in a row by their ends.

    >>> either((7, 8)), either((11, 12, 13)), either(range(7, 27)), either(())
    ('7 or 8', '11, 12 or 13', '7 to 26', 'none')
    """
    return _listed(values, "or")


def collapse(values: Sequence[int], onto: int) -> str:
    """The forward view: the sizes that a convolution takes to one size.

    >>> collapse((7, 8), 3), collapse((), 1)
    ('7 and 8 → 3', 'none → 1')
    """
    return f"{_listed(values, 'and')} → {onto}"


def _listed(values: Sequence[int], word: str) -> str:
    if len(values) > 4 and list(values) == list(range(values[0], values[-1] + 1)):
        return f"{values[0]} to {values[-1]}"
    *most, last = [str(value) for value in values] or ["none"]
    return f"{', '.join(most)} {word} {last}" if most else last


def crop(lo: int, hi: int) -> str:
    """A crop with real minus signs.

    >>> crop(1, -1)
    '(1, −1)'
    """
    return f"({lo}, {hi})".replace("-", "−")


def memory(held: int) -> str:
    """Bytes of memory that people can read.

    >>> memory(413_000_000), memory(3 * 2**30)
    ('394 MiB', '3.0 GiB')
    """
    return f"{held / 2**20:,.0f} MiB" if held < 2**30 else f"{held / 2**30:.1f} GiB"


def duration(seconds: float) -> str:
    """A time that people can read.

    >>> duration(3.21), duration(125), duration(7260)
    ('3.2 s', '2 min 5 s', '2 h 1 min')
    """
    if not math.isfinite(seconds):
        return NONE
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
