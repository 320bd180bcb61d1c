"""The ledger: one history and one champion for all clones.

Also where a process is killed, or several decide at the same moment.
"""

import json
from typing import Any, cast

import pytest
from mlflow import MlflowClient

from autoencoders.core.errors import UserError
from autoencoders.registry.decision import CHAMPION, DONE, PENDING
from autoencoders.registry.ledger import Ledger
from autoencoders.registry.registry import Registry
from autoencoders.tracking import store

NAME = "autoencoder-digits"


@pytest.fixture
def client(tracked_root):
    """A client of a registered model with five versions of nothing."""
    client = store.open_store()
    client.create_registered_model(NAME)
    for number in range(5):
        client.create_model_version(NAME, f"file:///nowhere/{number}")
    return client


@pytest.fixture
def ledger(client):
    return Ledger(client, NAME)


@pytest.fixture
def colleague(client):
    """The same registered model, seen from another clone."""
    return Ledger(client, NAME)


def champion(client):
    version = client.get_registered_model(NAME).aliases.get(CHAMPION)
    return None if version is None else str(version)


def promoted(ledger, version):
    return ledger.promote(version, "a test")


def actions(ledger):
    return [
        (decision.action, decision.version, decision.before, decision.after)
        for decision in ledger.decisions()
    ]


def test_a_decision_of_one_clone_is_seen_and_undone_by_another(client, ledger, colleague):
    promoted(ledger, "1")
    promoted(colleague, "2")
    expected = [("promoted", "1", None, "1"), ("promoted", "2", "1", "2")]
    assert actions(ledger) == actions(colleague) == expected
    ledger.roll_back(["1", "2"])
    assert champion(client) == "1"
    assert actions(colleague)[-1] == ("rolled_back", "2", "2", "1")


def test_all_of_it_is_one_request(ledger, client, monkeypatch):
    promoted(ledger, "1")
    calls = []

    def recorded(name, request):
        def send(*arguments, **options):
            calls.append(name)
            return request(*arguments, **options)

        return send

    for name in ("get_registered_model", "search_registered_models", "search_model_versions"):
        monkeypatch.setattr(client, name, recorded(name, getattr(client, name)))
    state = ledger.read()
    assert (state.champion, len(state.decisions)) == ("1", 1)
    assert calls == ["get_registered_model"]


class Killed(BaseException):
    """The death of a process, at a chosen call."""


class Mortal:
    """A client whose process dies before its n-th writing call."""

    def __init__(self, client, calls):
        self.client, self.calls = client, calls

    def __getattr__(self, name):
        real = getattr(self.client, name)
        if not name.startswith(("set_", "delete_")):
            return real

        def call(*arguments):
            if self.calls == 0:
                raise Killed
            self.calls -= 1
            return real(*arguments)

        return call


@pytest.mark.parametrize(("calls", "after"), [(0, "1"), (1, "2"), (2, "2"), (3, "2")])
def test_a_decision_of_a_killed_process_is_completed_by_the_next_command(
    client, ledger, calls, after
):
    promoted(ledger, "1")
    doomed = Ledger(cast(MlflowClient, Mortal(client, calls)), NAME)
    if calls < 3:  # pending tag, alias, done tag
        with pytest.raises(Killed):
            promoted(doomed, "2")
    else:
        promoted(doomed, "2")
    state = ledger.read()
    assert state.champion == champion(client) == after
    assert {decision.state for decision in ledger.read().decisions} == {DONE}
    assert [decision.version for decision in state.decisions] == (
        ["1"] if after == "1" else ["1", "2"]
    )


def interleaved(client, first, second, order):
    """Lets two clones decide at once; order: which of them makes each of their writing calls."""
    import threading

    turn = threading.Condition()
    left = list(order)

    class Taking:
        def __init__(self, name):
            self.name = name

        def __getattr__(self, attribute):
            real = getattr(client, attribute)
            if not attribute.startswith(("set_", "delete_")):
                return real

            def call(*arguments):
                with turn:
                    turn.wait_for(
                        lambda: not left or left[0] == self.name or self.name not in left,
                        timeout=60,
                    )
                    result = real(*arguments)
                    if left and left[0] == self.name:
                        left.pop(0)
                    turn.notify_all()
                    return result

            return call

    threads = [
        threading.Thread(
            target=promoted, args=(Ledger(cast(MlflowClient, Taking(name)), NAME), version)
        )
        for name, version in (("a", first), ("b", second))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    "order", ["aaabbb", "ababab", "abbbaa", "abbaab", "baabba", "bbaaab", "aabbba"]
)
def test_two_clones_that_decide_at_once_end_with_the_champion_of_the_last_decision(
    client, ledger, order
):
    promoted(ledger, "1")
    interleaved(client, "2", "3", order)
    state = ledger.read()
    assert state.champion == champion(client) == state.decisions[-1].after
    assert sorted(decision.version for decision in state.decisions) == ["1", "2", "3"]
    assert {decision.state for decision in state.decisions} == {DONE}


def test_equal_numbers_are_ordered_by_their_random_part_not_by_time(client, ledger):
    for key, version, time in (
        ("decision.1.b", "1", "2026-01-01"),
        ("decision.1.a", "2", "2026-12-31"),
    ):
        values = {
            "time": time,
            "user": "u",
            "action": "promoted",
            "version": version,
            "before": None,
        }
        values |= {"after": version, "reason": "r", "state": DONE}
        client.set_registered_model_tag(NAME, key, json.dumps(values))
    client.set_registered_model_alias(NAME, CHAMPION, "2")  # set last by the one that has lost
    assert ledger.read().champion == champion(client) == "1"
    assert [decision.version for decision in ledger.decisions()] == ["2", "1"]


def test_numbers_go_on_above_the_highest(ledger):
    keys = [promoted(ledger, version).key for version in ("1", "2", "3")]
    assert [key.split(".")[1] for key in keys] == ["1", "2", "3"]
    assert len({key.split(".")[2] for key in keys}) == 3


def test_a_champion_that_was_set_by_hand_is_recorded_and_never_undone(client, ledger, colleague):
    promoted(ledger, "1")
    client.set_registered_model_alias(NAME, CHAMPION, "4")
    assert ledger.read().champion == "4"
    assert actions(colleague)[-1] == ("set_by_hand", "4", "1", "4")
    assert len(actions(ledger)) == 2  # recorded once
    ledger.roll_back(["1", "4"])
    assert champion(client) == "1"


def test_a_champion_that_was_taken_away_by_hand_stays_away(client, ledger):
    promoted(ledger, "1")
    client.delete_registered_model_alias(NAME, CHAMPION)
    assert ledger.read().champion is None
    assert actions(ledger)[-1] == ("set_by_hand", "1", "1", None)


def test_a_version_that_was_kept_changes_no_champion_even_at_the_same_moment(client, ledger):
    promoted(ledger, "1")
    decision = ledger.keep("2", "not better")
    number, _, _ = decision.key.removeprefix("decision.").partition(".")
    values = {"time": "t", "user": "u", "action": "promoted", "version": "3", "before": "1"}
    values |= {"after": "3", "reason": "r", "state": PENDING}
    client.set_registered_model_tag(NAME, f"decision.{number}.0", json.dumps(values))
    assert ledger.read().champion == "3"


def test_rollbacks_undo_what_others_promoted_at_the_same_moment_one_by_one(client, ledger):
    promoted(ledger, "1")
    interleaved(client, "2", "3", "ababab")
    second, last = (decision.version for decision in ledger.decisions()[1:])
    ledger.roll_back(["1", "2", "3"])
    assert champion(client) == second != last
    ledger.roll_back(["1", "2", "3"])
    assert champion(client) == "1"


def test_a_decision_that_rests_on_another_champion_is_not_taken(ledger, colleague):
    promoted(ledger, "1")
    before = ledger.read()
    promoted(colleague, "2")
    assert ledger.decide("promoted", "3", "3", "better than 1", before) is None
    assert ledger.read().champion == "2"


def test_two_rollbacks_at_the_same_moment_undo_one_promotion_and_the_next_one_another(
    client, ledger
):
    for version in ("1", "2", "3"):
        promoted(ledger, version)
    values = {
        "time": "t",
        "user": "u",
        "action": "rolled_back",
        "version": "3",
        "before": "3",
        "after": "2",
    }
    for rival in "ab":
        client.set_registered_model_tag(
            NAME, f"decision.4.{rival}", json.dumps({**values, "reason": "", "state": DONE})
        )
    client.set_registered_model_alias(NAME, CHAMPION, "2")
    ledger.roll_back(["1", "2", "3"])
    assert champion(client) == "1"


def test_a_killed_decision_for_a_version_that_was_deleted_since_counts_no_more(client, ledger):
    promoted(ledger, "1")
    with pytest.raises(Killed):
        promoted(Ledger(cast(MlflowClient, Mortal(client, 1)), NAME), "2")
    client.delete_model_version(NAME, "2")
    assert ledger.read().champion == "1"
    assert promoted(ledger, "3").before == "1"


OLD: list[dict[str, Any]] = [
    {
        "time": "2026-01-01",
        "user": "u",
        "name": NAME,
        "action": "promoted",
        "version": "1",
        "before": None,
    },
    {
        "time": "2026-01-02",
        "user": "u",
        "name": "autoencoder-other",
        "action": "promoted",
        "version": "1",
        "before": None,
    },
    {
        "time": "2026-01-03",
        "user": "u",
        "name": NAME,
        "action": "promoted",
        "version": "2",
        "before": "1",
    },
]


@pytest.fixture
def old_file(tracked_root):
    """The ledger of an earlier version."""
    path = tracked_root / "mlruns/registry.jsonl"
    path.parent.mkdir(exist_ok=True)
    lines = [
        {**line, "user": "u", "action": "promoted", "after": line["version"], "reason": "r"}
        for line in OLD
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_an_earlier_versions_file_is_taken_over_once_and_is_a_copy_from_then_on(
    client, ledger, colleague, old_file
):
    client.set_registered_model_alias(NAME, CHAMPION, "2")
    assert actions(ledger) == [("promoted", "1", None, "1"), ("promoted", "2", "1", "2")]
    promoted(ledger, "3")
    lines = [json.loads(line) for line in old_file.read_text().splitlines()]
    assert [(line["name"], line["version"]) for line in lines] == [
        ("autoencoder-other", "1"),
        (NAME, "1"),
        (NAME, "2"),
        (NAME, "3"),
    ]
    assert len(actions(colleague)) == 3
    old_file.unlink()
    ledger.roll_back(["1", "2", "3"])
    ledger.roll_back(["1", "2", "3"])
    assert champion(client) == "1"


def test_a_tag_that_is_no_decision_is_named(client, ledger):
    client.set_registered_model_tag(NAME, "decision.1.a", "{}")
    with pytest.raises(UserError, match=rf"{NAME}: its tag decision.1.a is no decision"):
        ledger.read()


def test_a_model_that_was_never_registered_has_no_champion_and_no_history(tracked_root):
    registry = Registry(store.open_store(), "nothing")
    assert registry.champion() is None
    assert registry.history() == []
