"""The ledger: every decision about the champion, as tags of the registered model for all clones.

MLflow has no compare-and-swap. So each decision is a tag under a key of its own,
`decision.NUMBER.RANDOM`, which no other client overwrites; number: one above the highest read.
Decisions are ordered by number, equal numbers by the random part, not by time, as clocks differ.
Whoever decides writes the tag as pending, sets the alias, rewrites the tag as done, reads all
again, and repeats until the alias is what the last decision says. A pending decision with the
alias as it was before belongs to a process that was killed: the next command completes it.
"""

import getpass
import json
import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, replace

from mlflow import MlflowClient, MlflowException

from autoencoders.core.errors import UserError
from autoencoders.registry.decision import (
    CHAMPION,
    DONE,
    KEPT,
    KEY,
    OLD,
    PENDING,
    PROMOTED,
    ROLLED_BACK,
    SET_BY_HAND,
    Decision,
    State,
    standing_promotions,
)
from autoencoders.registry.ledger_file import old_decisions, write_copy
from autoencoders.tracking import address
from autoencoders.tracking.failures import is_outage

ROUNDS = 20  # times that alias and last decision are compared, while others decide too


class Ledger:
    """The decisions about one registered model."""

    def __init__(self, client: MlflowClient, name: str) -> None:
        self.client = client
        self.name = name

    def decisions(self) -> list[Decision]:
        """Returns the decisions, the oldest first."""
        return self.read().decisions

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
            if is_outage(error):
                raise
            return State([], None)
        decisions = []
        for key, value in model.tags.items():
            if KEY.fullmatch(key):
                decisions.append(self._decision(key, value))
        decisions.sort(key=lambda decision: decision.order)
        champion = model.aliases.get(CHAMPION)
        if champion is not None:
            champion = str(champion)
        return State(decisions, champion)

    def _decision(self, key: str, value: str) -> Decision:
        """A decision from its tag. Raises UserError."""
        try:
            return Decision(**json.loads(value), key=key, name=self.name)
        except (ValueError, TypeError) as error:
            raise UserError(
                f"{self.name}: its tag {key} is no decision ({error}); delete it in MLflow"
            ) from error

    def _settled(self, state: State) -> State:
        """The state in which the alias and the last decision agree.

        A killed decision is completed, and a champion that was set by hand becomes a decision.
        """
        last = state.last
        if last is None:
            if state.champion is None:
                return state
            self._record_by_hand(state)
        elif state.champion == last.after:
            if last.state != PENDING:
                return state
            self._write(replace(last, state=DONE))
        elif self._was_killed(state, last) or self._is_beaten(state, last):
            self._enforce(last)
        else:
            self._record_by_hand(state)
        return self._read()

    def _was_killed(self, state: State, last: Decision) -> bool:
        """Whether the last decision was begun, and the alias is still as before."""
        return last.state == PENDING and state.champion == last.before

    def _is_beaten(self, state: State, last: Decision) -> bool:
        """Whether another decision of the same moment set the alias; the last one overrides it."""
        if last.number == OLD:
            return False
        for other in state.decisions:
            if other == last or other.action == KEPT:
                continue
            at_the_same_moment = other.number == last.number or other.state == PENDING
            if at_the_same_moment and other.after == state.champion:
                return True
        return False

    def _record_by_hand(self, state: State) -> None:
        """Writes a decision for a champion that was set in MLflow's own UI; it is never undone."""
        last = state.last
        before = None
        if last is not None:
            before = last.after
            if last.state == PENDING:
                self._write(replace(last, state=DONE))
        version = state.champion or before or ""
        reason = "set in MLflow, not by this pipeline"
        self._write(self._new(state, SET_BY_HAND, version, before, state.champion, reason))

    def decide(
        self, action: str, version: str, after: str | None, reason: str, expected: State
    ) -> Decision | None:
        """Makes a version the champion, or leaves none, writes why, and returns the decision.

        expected: the state that the decision rests on. Returns None where another champion or
        another decision stands by now.
        """
        state = self.read()
        if state.champion != expected.champion or state.last != expected.last:
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
        write_copy(self.name, state.decisions)
        return decision

    def keep(self, version: str, reason: str) -> Decision:
        """Writes why a version did not become the champion, and returns the decision."""
        state = self.read()
        decision = self._new(state, KEPT, version, state.champion, state.champion, reason)
        self._write(decision)
        write_copy(self.name, self._read().decisions)
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
        key = f"decision.{state.next_number}.{uuid.uuid4().hex[:12]}"
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return Decision(now, _user(), self.name, action, version, before, after, reason, key)

    def _enforce(self, decision: Decision) -> None:
        """Sets the alias to what a decision says, and completes the decision.

        One whose version was deleted counts no more.
        """
        try:
            self._set_alias(decision.after)
        except MlflowException as error:
            if is_outage(error):
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
        """Writes a decision as a tag; the registered model and the tag's key say the rest of it."""
        values = asdict(decision)
        del values["name"]
        del values["key"]
        text = json.dumps(values, ensure_ascii=False)
        self.client.set_registered_model_tag(self.name, decision.key, text)

    def promote(self, version: str, reason: str) -> Decision:
        """Makes a version the champion, whoever else decides meanwhile."""
        decision = None
        while decision is None:
            decision = self.decide(PROMOTED, version, version, reason, self.read())
        return decision

    def roll_back(self, versions: Sequence[str]) -> Decision:
        """Undoes the last promotion that was not undone yet. Raises UserError where there is none.

        versions: those that still exist.
        """
        decision = None
        while decision is None:
            state = self.read()
            standing = standing_promotions(state.decisions)
            if not standing:
                raise UserError(f"{self.name}: no promotion to roll back")
            undone, before = standing[-1]
            if before is not None and before not in versions:
                raise UserError(
                    f"{self.name}: version {before}, the champion before, was deleted; "
                    "promote another one"
                )
            reason = "`ae registry rollback`"
            decision = self.decide(ROLLED_BACK, undone.version, before, reason, state)
        return decision

    def _take_over(self, state: State) -> bool:
        """Writes an earlier version's decisions as tags where they are missing.

        Only for the local store and for databases: the file was written beside these, and never for
        a server. Returns whether tags were written.
        """
        if address.is_server(address.uri()):
            return False
        keys = {decision.key for decision in state.decisions}
        missing = [decision for decision in old_decisions(self.name) if decision.key not in keys]
        for decision in missing:
            try:
                self._write(decision)
            except MlflowException as error:
                if is_outage(error):
                    raise
                return False  # the registered model was deleted
        return bool(missing)


def _user() -> str:
    """The user's name; in a container the number may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
