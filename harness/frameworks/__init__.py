"""One file per framework: its vocabulary (pure, imports nothing of the framework) and how to run it (lazy import)."""

from harness.frameworks.base import Api as Api

__all__ = ["Api"]
