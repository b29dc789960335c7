"""An audit as a page and as Markdown: what was found is in them, and nothing of what a model says acts."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from harness import Layer
from harness.ported import Audit, Naive, Portability, PortedLayer, Proof, Ran, TargetPort
from reports import audit_html, audit_markdown
from reports.markdown import LIMIT

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e|`x`\n# [l](javascript:x) ![i](http://x) @all </details> *b* ```\n```"

PORT = TargetPort(
    "jax.lax.conv_transpose",
    "jax",
    Naive(False, False, "output size (4,), not (6,)", "naive(x)"),
    Portability.WITH_CROP,
    call="exact(x)",
    crop=((0, 1),),
    after=("y = y[:, :-1]", "y = y + bias"),
    weight="np.flip(weight)",
    holds="every input size from 1 on",
    others=("for 7: other(x)",),
    snippet="assert 1 == 1\n",
    verified=Proof(Ran.EQUAL, 0.25, "up", sizes=((3,), (1,))),
)
ONE = Layer(kernel_size=3, ndim=1)
LAYER = PortedLayer(("up",), "torch.nn.ConvTranspose", {}, "written(x)", (3,), (6,), ONE, (PORT,))
AUDIT = Audit("m.onnx", (LAYER,), (("gone", "it is shared"),), {"jax": "0.10"})

VERDICTS = {
    "portable, with a crop": PORT,
    "portable": replace(PORT, verdict=Portability.PORTABLE, crop=()),
    "cannot be expressed": TargetPort("a", "jax", PORT.naive, Portability.CANNOT, reason="no word"),
    "not run": replace(PORT, verified=Proof(error="jax is not installed")),
    "differs": replace(PORT, verified=Proof(Ran.DIFFERS, error="shape (4,)")),
}


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the name and the anchor."""
        self.tags.append(tag)
        self.ids |= {value for name, value in attrs if name == "id" and value}

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text += data


def hostile() -> Audit:
    """An audit in which everything that a model or a framework says is hostile."""
    naive = Naive(False, False, HOSTILE, HOSTILE)
    proof = Proof(Ran.DIFFERS, 3.0, HOSTILE, HOSTILE)
    port = replace(PORT, naive=naive, verified=proof, others=(HOSTILE,), reason=HOSTILE, snippet=HOSTILE)
    port = replace(port, call=HOSTILE, weight=HOSTILE, holds=HOSTILE)
    layer = replace(LAYER, names=(HOSTILE, HOSTILE), call=HOSTILE, notes=(HOSTILE,), targets=(port,))
    return Audit(HOSTILE, (layer,), ((HOSTILE, HOSTILE),), {"jax": HOSTILE})


def test_a_page_tells_all_of_it() -> None:
    """What to write, where it holds, what was run, what was passed over."""
    text = Elements(audit_html.render(AUDIT)).text
    for said in (
        "1 of 1 distinct layers",
        "written(x)",
        "exact(x)",
        "y = y[:, :-1]; y = y + bias",
        "np.flip(weight)",
        "naive(x)",
        "gone",
    ):
        assert said in text
    assert "on integers: equal at (3,), (1,); on weights (up) error 0.25 of the bound: rounding explains it" in text
    assert "for 7: other(x)" in text
    assert "assert 1 == 1" in text


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_verdict_is_a_word(verdict: str) -> None:
    """Not a colour alone."""
    page = audit_html.render(replace(AUDIT, layers=(replace(LAYER, targets=(VERDICTS[verdict],)),)))
    assert re.search(rf"<span class=\"badge tone-[\w-]+\">{verdict}</span>", page)


def test_nothing_hostile_acts_on_a_page() -> None:
    """No element of it, no script, no link; control characters are shown by name."""
    usual, page = Elements(audit_html.render(AUDIT)), Elements(audit_html.render(hostile()))
    assert "script" not in page.tags
    assert set(page.tags) - {"p"} <= set(usual.tags)
    assert "<script>alert(1)</script>‹ESC›[31m‹U+202E›" in page.text
    assert "\x1b" not in page.text
    assert page.ids >= {"layer-1", "h-layer-1", "main"}


def test_an_empty_audit_has_a_page() -> None:
    """Which says so."""
    assert "No transposed convolution was found." in audit_html.render(Audit("m.onnx", ()))


def test_markdown_tells_it_in_a_table() -> None:
    """A row for each target, the snippet behind it."""
    text = audit_markdown.render(AUDIT)
    assert text.startswith("## Transposed convolutions of m.onnx: 1 of 1 distinct layers ported and proved")
    row = "| <code>up</code> | <code>jax.lax.conv_transpose</code> | wrong: output size (4,), not (6,) "
    assert f"{row}| portable-with-crop | equal | 0.25 |" in text
    assert "```python\nassert 1 == 1\n```" in text
    assert "- skipped <code>gone</code>: it is shared" in text


def test_nothing_hostile_acts_in_markdown() -> None:
    """No row, fence, element, link or mention of it outside of the snippet."""
    text = audit_markdown.render(hostile())
    shown = re.sub(r"````python\n.*?\n````", "", text, flags=re.DOTALL)
    assert shown != text
    for active in ("<script", "javascript:", "](", "\x1b", "\u202e", "@all", "\n# ", "`x`"):
        assert active not in shown, active
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    assert [line.count("|") for line in rows] == [7] * 3
    assert shown.count("</details>") == shown.count("<details>") == 1


def test_markdown_stays_below_the_limit() -> None:
    """However many layers there are; how many are left out is said."""
    long = replace(LAYER, targets=(replace(PORT, snippet="x = 1\n" * 5000),))
    text = audit_markdown.render(replace(AUDIT, layers=(long,) * 60))
    assert len(text.encode()) < LIMIT
    assert re.search(r"\d+ more: `deconvdiff audit --html FILE` shows them all", text)
    many = audit_markdown.render(replace(AUDIT, layers=(LAYER,) * 3000, skipped=(("gone", "x" * 500),) * 3000))
    assert len(many.encode()) < LIMIT
