"""The command. Nothing heavy is imported before a command runs, so that ``--help`` answers at once."""

from harness.cli.main import main as main

__all__ = ["main"]
