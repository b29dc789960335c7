"""Targets that are started once and asked as often as somebody likes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import TypeVar

from harness.campaign.ask import Chosen
from harness.campaign.loop import seat, target_info
from harness.campaign.select import select
from harness.workers.pool import Pool

_Self = TypeVar("_Self", bound="Started")


class Started:
    """The targets of some selectors, of which ``wanted`` may leave some out, and the pool of their workers.

    They are loaded on entering.

    Raises:
        UsageError: a selector that names nothing known.
    """

    def __init__(
        self,
        selectors: Sequence[str],
        environments: Mapping[str, str] | None = None,
        *,
        wanted: Callable[[Sequence[Chosen]], Sequence[Chosen]] = lambda many: many,
    ) -> None:
        self._selected = {name: wanted(many) for name, many in select(selectors, environments).items()}
        self._chosen = {one.target.name: one for many in self._selected.values() for one in many}
        self._reasons = {name: one.missing for name, one in self._chosen.items()}
        self.versions: dict[str, str | None] = {}
        self.pool = Pool([seat(one) for one in self.able])

    def __enter__(self: _Self) -> _Self:  # noqa: PYI019 # typing.Self needs Python 3.11
        """Load the targets; those that cannot be say why."""
        able = self.able
        hello = self.pool.hello()
        infos = {one.target.name: target_info(one, hello[one.target.name]) for one in able}
        self.versions.update({name: info.version for name, info in infos.items()})
        self._reasons.update({name: info.reason for name, info in infos.items() if not info.available})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pool.close()

    @property
    def unavailable(self) -> dict[str, str]:
        """Why targets that were named or are usual cannot be asked."""
        return {
            name: reason
            for name, reason in self._reasons.items()
            if reason is not None and not self._chosen[name].implied
        }

    def without(self, answering: Collection[str]) -> list[str]:
        """The selectors none of whose targets is among those that answered."""
        given = set(answering)
        return [each for each, many in self._selected.items() if given.isdisjoint(one.target.name for one in many)]

    @property
    def silent(self) -> list[str]:
        """The selectors none of whose targets can be asked."""
        return self.without([one.target.name for one in self.able])

    @property
    def able(self) -> list[Chosen]:
        """The targets that can be asked."""
        return [one for name, one in self._chosen.items() if self._reasons.get(name) is None]

    def chosen(self, target: str) -> Chosen:
        """The target of that name."""
        return self._chosen[target]

    def obstacle(self, target: str) -> str | None:
        """Why a target cannot be asked: that there is none of that name, or what it says itself."""
        if target not in self._chosen:
            return f"{target} is no target here: 'deconvdiff targets' lists them"
        reason = self._reasons.get(target)
        return None if reason is None else f"{target} cannot be asked: {reason}"
