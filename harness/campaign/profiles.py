"""Profiles: how long a run is and which seed it has where nobody says so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """The length of a run (cases or seconds), its seed (None: a fresh one), and how many examples a test draws."""

    said: str
    examples: int
    cases: int | None = None
    seconds: float | None = None
    seed: int | None = None


PROFILES = {
    "default": Profile("about two minutes, a fresh seed", 100, seconds=110.0),
    "ci": Profile("300 cases, always the same", 150, cases=300, seed=0),
    "nightly": Profile("30 minutes, a fresh seed each night", 3000, seconds=1800.0),
}
