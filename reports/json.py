"""The machine's report: schema 1 of ``fuzz --json`` and ``report --json``, strict and pure ASCII."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.records import Report


def render(report: Report) -> str:
    """The report as strict JSON text: NaN and infinities are null, everything outside ASCII is escaped.

    Where no run has begun, ``run`` is null.

    >>> from harness.records import Run
    >>> run = Run("r", "2026-01-01T00:00:00Z", 0, "default", "Linux", "0.1", "deconvdiff fuzz")
    >>> json.loads(render(Report(run, (), 0, float("inf"), {}, {}, (), {})))["totals"]["seconds"] is None
    True
    """
    told = report.to_json() if report.run.id else {**report.to_json(), "run": None}
    return json.dumps(_strict(told), allow_nan=False, indent=2) + "\n"


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _strict(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(entry) for entry in value]
    if isinstance(value, np.generic):
        return _strict(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
