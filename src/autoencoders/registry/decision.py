"""Decisions about the champion, and what all of them together say."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

CHAMPION = "champion"
KEY = re.compile(r"decision\.(\d+)\.([\w-]+)")
OLD = 0  # number of the decisions of a ledger that was kept in a file, before all others

PROMOTED = "promoted"
KEPT = "kept"  # leaves the champion as it is
ROLLED_BACK = "rolled_back"
SET_BY_HAND = "set_by_hand"

PENDING = "pending"
DONE = "done"


@dataclass(frozen=True)
class Decision:
    """One line of the ledger."""

    time: str  # UTC
    user: str
    name: str  # of the registered model
    action: str  # PROMOTED, KEPT, ROLLED_BACK or SET_BY_HAND
    version: str  # that the decision is about
    before: str | None  # the champion's version
    after: str | None
    reason: str
    key: str = ""  # of its tag
    state: str = DONE  # PENDING until the alias is set

    @property
    def order(self) -> tuple[int, str]:
        """The decision's place among all: its number and its random part."""
        parts = KEY.fullmatch(self.key)
        if parts is None:
            return OLD, ""
        return int(parts[1]), parts[2]

    @property
    def number(self) -> int:
        """The decision's number, which several decisions of the same moment may share."""
        return self.order[0]

    def line(self) -> str:
        """The decision as a line of text."""
        champion = "none"
        if self.after:
            champion = f"version {self.after}"
        outcome = f"{self.name} version {self.version} {self.action}"
        return f"{self.time} {self.user}: {outcome}, @{CHAMPION}: {champion}: {self.reason}"


@dataclass(frozen=True)
class State:
    """The registered model as one request describes it."""

    decisions: list[Decision]  # the oldest first
    champion: str | None  # its version

    @property
    def last(self) -> Decision | None:
        """The last decision that the champion follows; one that kept it changes nothing."""
        for decision in reversed(self.decisions):
            if decision.action != KEPT:
                return decision
        return None

    @property
    def next_number(self) -> int:
        """The next decision's number."""
        if not self.decisions:
            return OLD + 1
        return self.decisions[-1].number + 1


class Promotion(NamedTuple):
    """A decision that made a version the champion."""

    decision: Decision
    before: str | None  # the champion until then


def standing_promotions(decisions: Sequence[Decision]) -> list[Promotion]:
    """Returns the promotions that were not undone yet, the oldest first."""
    standing: list[Promotion] = []
    champion: str | None = None
    for decision in decisions:
        if decision.action in (PROMOTED, SET_BY_HAND):
            standing.append(Promotion(decision, champion))
        elif decision.action == ROLLED_BACK and standing and _undoes(decision, standing[-1]):
            standing.pop()
        if decision.action != KEPT:
            champion = decision.after
    return standing


def _undoes(rollback: Decision, promotion: Promotion) -> bool:
    """Whether a rollback is of this promotion: of two rollbacks at the same moment, only one is."""
    same_version = rollback.version == promotion.decision.version
    return same_version and rollback.after == promotion.before
