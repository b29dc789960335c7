"""An audit for a pull request: Markdown, a table of the layers and, behind it, what each target needs.

Whatever a model or a framework says is cleaned and made inert as in the summary of a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.ported import Audit, PortedLayer, TargetPort
from reports.markdown import as_code, as_text, fenced, fitting, row_of
from reports.text import clean, clip

#: characters of a sentence, in a table and elsewhere, and of a name
_BRIEF, _LONG, _NAME = 300, 2000, 200

#: bytes, together below what a forge drops
_ROOMS = {"table": 300_000, "skipped": 100_000, "details": 400_000}

_COLUMNS = ("layer", "target", "copying the words", "recipe", "integers", "error / bound")


def render(audit: Audit) -> str:
    """The summary of an audit, below the size at which a forge drops it.

    >>> from harness.ported import Audit
    >>> render(Audit("model.onnx", ())).splitlines()[0]
    '## Transposed convolutions of model.onnx: 0 of 0 distinct layers ported and proved'
    """
    done = sum(layer.is_portable for layer in audit.layers)
    verdict = f"{done} of {len(audit.layers)} distinct layers ported and proved"
    blocks = [
        f"## Transposed convolutions of {_text(audit.source, _NAME)}: {verdict}",
        *_table(audit.layers),
        *_skipped(audit.skipped),
        *_fitted([block for layer in audit.layers for block in _details(layer)], "details", "\n\n"),
    ]
    return "\n\n".join(blocks) + "\n"


def _table(layers: Sequence[PortedLayer]) -> list[str]:
    rows = [_row(layer, target) for layer in layers for target in layer.targets]
    head = [row_of(_COLUMNS), row_of(["---", "---", "---", "---", "---", "--:"])]
    if not rows:
        return []
    first, *more = _fitted(rows, "table", "\n")
    return ["\n".join([*head, first]), *more]


def _skipped(skipped: Sequence[tuple[str, str]]) -> list[str]:
    lines = [f"- skipped {_code(name, _NAME)}: {_text(reason)}" for name, reason in skipped]
    return _fitted(lines, "skipped", "\n")


def _fitted(entries: Sequence[str], room: str, between: str) -> list[str]:
    """The entries that there is room for, and how many there are besides."""
    kept, left_out = fitting(entries, str, _ROOMS[room])
    more = [f"{left_out} more: `deconvdiff audit --html FILE` shows them all."] if left_out else []
    return [*([between.join(kept)] if kept else []), *more]


def _row(layer: PortedLayer, target: TargetPort) -> str:
    naive, proof = target.naive, target.verified
    copied = "right" if naive.value_equal else f"wrong: {clip(naive.reason or '', _BRIEF)}"
    names = clip(layer.names[0], _NAME) + (f" and {len(layer.names) - 1} more" if len(layer.names) > 1 else "")
    said = target.verdict.value + (f": {clip(target.reason, _BRIEF)}" if target.reason else "")
    ratio = "" if proof.bound_ratio is None else f"{proof.bound_ratio:.2g}"
    cells = [as_code(names), as_code(target.api), as_text(copied), as_text(said), proof.integers.value, ratio]
    return row_of(cells)


def _details(layer: PortedLayer) -> Iterator[str]:
    yield f"### {_code(', '.join(layer.names), _LONG)}"
    yield f"{_code(layer.call, _LONG)}: {layer.input_size} to {layer.output_size}"
    if layer.notes:
        yield "\n".join(f"- {_text(note)}" for note in layer.notes)
    yield from (_target(target) for target in layer.targets if target.snippet is not None)


def _target(target: TargetPort) -> str:
    summary = f"<details><summary>{as_text(target.api)}: {_text(target.holds or '')}</summary>"
    snippet = fenced(clean(target.snippet or "").rstrip("\n"), "python")
    return f"{summary}\n\n{_code('; '.join([target.call or '', *target.after]), _LONG)}\n\n{snippet}\n\n</details>"


def _code(text: str, limit: int) -> str:
    return as_code(clip(text, limit))


def _text(text: str, limit: int = _LONG) -> str:
    return as_text(clip(text, limit))
