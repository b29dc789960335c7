"""The readers of models: each kind of file has a module with ``read``, which a process of its own calls."""

from __future__ import annotations

from harness.audit.readers.apart import Limits
from harness.audit.readers.reading import read_model

__all__ = ["Limits", "read_model"]
