"""Targets with one known fault each, which are asked like any third party's.

A worker imports these: they need the standard library, NumPy, the mathematics, the records and ``frameworks.base``.

>>> fault = FAULTS["kernel-flipped"]
>>> fault.location, fault.kind.value, fault.cause, fault.condition
('harness.planted.channels:KernelFlipped', 'value', 'kernel flipped', 'max(k) > 1')
>>> fault.text
'Correlates the kernel as it stands.'
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.planted import answers, channels, corners, failures, geometry, gradients
from harness.planted.fault import REGISTERED, Fault

__all__ = ["FAULTS", "SOUND", "Fault", "answers", "channels", "corners", "failures", "geometry", "gradients"]

#: the faulty targets by name
FAULTS: Mapping[str, Fault] = MappingProxyType({f.name: f for f in REGISTERED.values() if f.kind is not None})

#: the targets without a fault, of which nothing may be found
SOUND: Mapping[str, Fault] = MappingProxyType({f.name: f for f in REGISTERED.values() if f.kind is None})
