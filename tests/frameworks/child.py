"""An adapter by itself, without a worker, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

from harness.frameworks import registry
from harness.frameworks.base import Api


def in_child(function: Callable[..., Any], kind: type[Api], *arguments: Any) -> Any:
    """What a function gives in a process of its own, so that no framework is imported into this one."""
    if missing := registry.missing(kind, kind.modes[0]):
        pytest.skip(missing)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, kind, *arguments).result(timeout=300)


def loaded(kind: type[Api]) -> Api:
    """An instance in its first mode, with its framework."""
    api = kind()
    api.mode = kind.modes[0].name
    api.load()
    return api
