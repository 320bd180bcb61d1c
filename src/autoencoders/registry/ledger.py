"""The ledger: every decision about the champion, as tags of the registered model, where all clones see it.

MLflow has no compare-and-swap. So each decision is a tag under a key of its own, `decision.NUMBER.RANDOM`, which no
other client overwrites; number: one above the highest read. Decisions are ordered by number, equal numbers by the
random part, not by time, as clocks differ. Whoever decides writes the tag as pending, sets the alias, marks the tag as
done, reads all again, and repeats until the alias is what the last decision says. What is found pending with the alias
as it was before belongs to a process that was killed: the next command completes it.
"""

import getpass
import json
import os
import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from filelock import FileLock
from mlflow import MlflowClient, MlflowException

from autoencoders.core.errors import UserError
from autoencoders.core.files import sha256, write_text
from autoencoders.tracking import address, store

CHAMPION = "champion"
KEY = re.compile(r"decision\.(\d+)\.([\w-]+)")
KEPT = "kept"  # action of a decision that leaves the champion as it is
PENDING, DONE = "pending", "done"
OLD = 0  # number of the decisions of a ledger that was kept in a file, before all others
ROUNDS = 20  # times that alias and last decision are compared, while others decide too
COPY = "registry.jsonl"  # in mlruns/


@dataclass(frozen=True)
class Decision:
    """One line of the ledger."""

    time: str  # UTC
    user: str
    name: str  # of the registered model
    action: str  # promoted, kept, rolled_back, set_by_hand
    version: str  # that the decision is about
    before: str | None  # the champion's version
    after: str | None
    reason: str
    key: str = ""  # of its tag
    state: str = DONE  # pending until the alias is set

    @property
    def order(self) -> tuple[int, str]:
        """The decision's place among all."""
        found = KEY.fullmatch(self.key)
        return (int(found[1]), found[2]) if found else (OLD, "")

    def told(self) -> str:
        """The decision in one line."""
        champion = f"version {self.after}" if self.after else "none"
        what = f"{self.name} version {self.version} {self.action}"
        return f"{self.time} {self.user}: {what}, @{CHAMPION}: {champion}: {self.reason}"


@dataclass(frozen=True)
class State:
    """What one request of the registered model says: its decisions, the oldest first, and its champion."""

    decisions: list[Decision]
    champion: str | None

    @property
    def last(self) -> Decision | None:
        """The last decision that the champion follows; one that kept it changes nothing."""
        binding = [decision for decision in self.decisions if decision.action != KEPT]
        return binding[-1] if binding else None

    @property
    def number(self) -> int:
        """The next decision's number."""
        return max((decision.order[0] for decision in self.decisions), default=OLD) + 1


class Ledger:
    """The decisions about one registered model."""

    def __init__(self, client: MlflowClient, name: str) -> None:
        self.client, self.name = client, name

    def read(self) -> State:
        """Returns decisions and champion, after what a killed process left was completed."""
        state = self._read()
        if self._take_over(state):
            state = self._read()
        return self._settled(state)

    def _read(self) -> State:
        """One request: tags and aliases as they are."""
        try:
            model = self.client.get_registered_model(self.name)
        except MlflowException as error:
            if store.is_outage(error):
                raise
            return State([], None)
        decisions = [
            self._decision(key, value) for key, value in model.tags.items() if KEY.fullmatch(key)
        ]
        champion = model.aliases.get(CHAMPION)
        return State(
            sorted(decisions, key=lambda d: d.order), None if champion is None else str(champion)
        )

    def _decision(self, key: str, value: str) -> Decision:
        """A decision from its tag. Raises UserError."""
        try:
            return Decision(**json.loads(value), key=key, name=self.name)
        except (ValueError, TypeError) as error:
            raise UserError(
                f"{self.name}: its tag {key} is no decision ({error}); delete it in MLflow"
            ) from error

    def _settled(self, state: State) -> State:
        """Alias and last decision agree: a killed decision is completed, a champion set by hand becomes a decision."""
        last = state.last
        if last is None and state.champion is None:
            return state
        if last is not None and state.champion == last.after:
            if last.state == PENDING:
                self._write(replace(last, state=DONE))
                return self._read()
            return state
        if last is not None and (self._was_killed(state, last) or self._is_beaten(state, last)):
            self._enforce(last)
            return self._read()
        self._record_by_hand(state)
        return self._read()

    def _was_killed(self, state: State, last: Decision) -> bool:
        """Whether the last decision was begun, and the alias is still as before."""
        return last.state == PENDING and state.champion == last.before

    def _is_beaten(self, state: State, last: Decision) -> bool:
        """Whether the alias is what another decision of the same moment set, which the last one overrides."""
        others = [
            d for d in state.decisions if d != last and d.action != KEPT and last.order[0] > OLD
        ]
        rivals = [d for d in others if d.order[0] == last.order[0] or d.state == PENDING]
        return any(rival.after == state.champion for rival in rivals)

    def _record_by_hand(self, state: State) -> None:
        """Writes a decision for a champion that was set in MLflow's own UI; it is never undone."""
        before = state.last.after if state.last else None
        version = state.champion or before or ""
        reason = "set in MLflow, not by this pipeline"
        if state.last is not None and state.last.state == PENDING:
            self._write(replace(state.last, state=DONE))
        self._write(self._new(state, "set_by_hand", version, before, state.champion, reason))

    def decide(
        self, action: str, version: str, after: str | None, reason: str, expected: State
    ) -> Decision | None:
        """Makes a version the champion, or leaves none, writes why, and returns the decision.

        expected: what the decision rests on; None where another champion or another decision stands by now.
        """
        state = self.read()
        if (state.champion, state.last) != (expected.champion, expected.last):
            return None
        decision = self._new(state, action, version, state.champion, after, reason)
        self._write(replace(decision, state=PENDING))
        self._set_alias(after)
        self._write(decision)
        for _ in range(ROUNDS):
            state = self._read()
            if state.last is None or state.champion == state.last.after:
                break
            self._set_alias(state.last.after)
        self.copy(state)
        return decision

    def keep(self, version: str, reason: str) -> Decision:
        """Writes why a version did not become the champion, and returns the decision."""
        state = self.read()
        decision = self._new(state, KEPT, version, state.champion, state.champion, reason)
        self._write(decision)
        self.copy(self._read())
        return decision

    def _new(
        self,
        state: State,
        action: str,
        version: str,
        before: str | None,
        after: str | None,
        reason: str,
    ) -> Decision:
        """A decision with the next number."""
        key = f"decision.{state.number}.{uuid.uuid4().hex[:12]}"
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return Decision(now, _user(), self.name, action, version, before, after, reason, key)

    def _enforce(self, decision: Decision) -> None:
        """Sets the alias to what a decision says, and marks it done; one whose version was deleted counts no more."""
        try:
            self._set_alias(decision.after)
        except MlflowException as error:
            if store.is_outage(error):
                raise
            reason = f"{decision.reason} (interrupted, and the version was deleted)"
            decision = replace(decision, action=KEPT, after=decision.before, reason=reason)
        self._write(replace(decision, state=DONE))

    def _set_alias(self, version: str | None) -> None:
        if version is None:
            self.client.delete_registered_model_alias(self.name, CHAMPION)
        else:
            self.client.set_registered_model_alias(self.name, CHAMPION, version)

    def _write(self, decision: Decision) -> None:
        values = {
            key: value for key, value in asdict(decision).items() if key not in ("key", "name")
        }
        self.client.set_registered_model_tag(
            self.name, decision.key, json.dumps(values, ensure_ascii=False)
        )

    def promote(self, version: str, reason: str) -> Decision:
        """Makes a version the champion, whoever else decides meanwhile."""
        decision = None
        while decision is None:
            decision = self.decide("promoted", version, version, reason, self.read())
        return decision

    def rolled_back(self, versions: Sequence[str]) -> Decision:
        """Undoes the last promotion that was not undone yet. Raises UserError where there is none."""
        decision = None
        while decision is None:
            state = self.read()
            standing = _standing(state.decisions)
            if not standing:
                raise UserError(f"{self.name}: no promotion to roll back")
            undone, before = standing[-1]
            if before not in (None, *versions):
                raise UserError(
                    f"{self.name}: version {before}, the champion before, was deleted; promote another one"
                )
            decision = self.decide(
                "rolled_back", undone.version, before, "`ae registry rollback`", state
            )
        return decision

    # the file of earlier versions

    def _take_over(self, state: State) -> bool:
        """Writes the decisions of an earlier version's file as tags, those that are none yet; returns whether it did.

        Only for the local store and for databases: the file was written beside these, and never for a server.
        """
        if address.is_server(address.uri()):
            return False
        known = {decision.key for decision in state.decisions}
        old = [line for line in self._lines() if "key" not in line and line["name"] == self.name]
        new = [
            decision
            for decision in map(_old_decision, range(len(old)), old)
            if decision.key not in known
        ]
        for decision in new:
            try:
                self._write(decision)
            except MlflowException as error:
                if store.is_outage(error):
                    raise
                return False  # the registered model was deleted
        return bool(new)

    def _lines(self) -> list[dict[str, Any]]:
        path = address.folder() / COPY
        if not path.exists():
            return []
        try:
            return [
                dict(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()
            ]
        except (ValueError, TypeError) as error:
            raise UserError(
                f"{path}: no ledger ({error}); move it away: the decisions are kept in MLflow"
            ) from error

    def copy(self, state: State) -> None:
        """Copies the decisions to `mlruns/registry.jsonl`, for people; nothing reads them there."""
        with FileLock(address.folder() / f"{COPY}.lock"):
            others = [line for line in self._lines() if line["name"] != self.name]
            lines = [*others, *map(asdict, state.decisions)]
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            write_text(address.folder() / COPY, text)

    def decisions(self) -> list[Decision]:
        """Returns the decisions, the oldest first."""
        return self.read().decisions


def _standing(decisions: Sequence[Decision]) -> list[tuple[Decision, str | None]]:
    """The promotions that were not undone yet, each with the champion before it; the oldest first."""
    standing: list[tuple[Decision, str | None]] = []
    champion: str | None = None
    for decision in decisions:
        if decision.action in ("promoted", "set_by_hand"):
            standing.append((decision, champion))
        elif decision.action == "rolled_back" and standing and _undoes(decision, *standing[-1]):
            standing.pop()
        if decision.action != KEPT:
            champion = decision.after
    return standing


def _undoes(rollback: Decision, promotion: Decision, before: str | None) -> bool:
    """Whether a rollback is of this promotion: of two at the same moment, only one is."""
    return rollback.version == promotion.version and rollback.after == before


def _old_decision(number: int, line: dict[str, Any]) -> Decision:
    """A decision of an earlier version's file, under the same key whoever takes it over."""
    digest = sha256(json.dumps(line, sort_keys=True).encode())[:12]
    return Decision(**line, key=f"decision.{OLD}.{number:06}-{digest}")


def _user() -> str:
    """The user's name; in a container the number may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
