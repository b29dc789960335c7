"""The planted faults by the name of their class; and those that are what a cause of the judge means, and no more."""

from __future__ import annotations

from harness.judge.causes import FAMILIES
from harness.planted import FAULTS, Fault, channels, geometry

PLANTED: dict[str, Fault] = {fault.api.__name__: fault for fault in FAULTS.values()}

#: the cause of each elementary fault, by the name that the judge has for it
CAUSES: dict[str, str] = {
    name: fault.cause or ""
    for name, fault in PLANTED.items()
    if fault.cause in FAMILIES and fault.api.__module__ in (channels.__name__, geometry.__name__)
}
