"""What every test may use: the folder of faulty targets, importable here and in workers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

FAULTS = Path(__file__).parent / "faults"
sys.path.append(str(FAULTS))


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers import ``targets`` from ``tests/faults``."""
    monkeypatch.setenv("PYTHONPATH", str(FAULTS))
