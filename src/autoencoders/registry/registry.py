"""The registered model: its versions and aliases (`ledger.py` holds every champion decision).

Types are ranked on validation; the best of them is compared with the present champion on the same
test rows.
"""

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import mlflow
from mlflow import MlflowException
from mlflow.entities.model_registry import ModelVersion
from mlflow.models.model import ModelInfo

from autoencoders.core.errors import UserError
from autoencoders.data.prepared.prepared import Prepared
from autoencoders.evaluation.row import Row
from autoencoders.models.trained.saved import load
from autoencoders.params.params import Params, load_params
from autoencoders.registry.comparison import compare
from autoencoders.registry.decision import PROMOTED, Decision, State
from autoencoders.registry.ledger import Ledger
from autoencoders.registry.ledger_file import write_copy
from autoencoders.registry.model_card import model_card
from autoencoders.registry.versions import fetch, load_fetched, log_model, model_sha256
from autoencoders.tracking import address
from autoencoders.tracking.recorder import experiment_name
from autoencoders.tracking.runs import connected

CHALLENGER = "challenger"


class Registry:
    """One registered model: the versions of all types trained on one data set."""

    def __init__(self, client: mlflow.MlflowClient, data: str) -> None:
        self.client = client
        self.name = experiment_name(data)
        self.ledger = Ledger(client, self.name)

    def champion(self) -> str | None:
        """The champion's version, if there is one."""
        return self.ledger.read().champion

    def challenger(self) -> str | None:
        """The challenger's version, if there is one."""
        version = self.client.get_registered_model(self.name).aliases.get(CHALLENGER)
        if version is None:
            return None
        return str(version)

    def versions(self) -> list[ModelVersion]:
        """All versions, the newest first."""
        return self._search(f"name = '{self.name}'")

    def version_numbers(self) -> list[str]:
        """The numbers of all versions, the oldest first."""
        return [str(version.version) for version in reversed(self.versions())]

    def of_model(self, sha256: str) -> list[str]:
        """The numbers of the versions with the same bytes, the lowest first."""
        versions = self._search(f"name = '{self.name}' and tags.model_sha256 = '{sha256}'")
        numbers = [str(version.version) for version in versions]
        return sorted(numbers, key=int)

    def _search(self, query: str) -> list[ModelVersion]:
        order = ["version_number DESC"]
        return list(self.client.search_model_versions(query, max_results=10_000, order_by=order))

    def add(
        self,
        folder: Path,
        run_id: str,
        row: Row,
        tags: dict[str, str],
        rate: float,
        notes: Sequence[str] = (),
    ) -> str:
        """Returns the version of the model in a folder.

        Where there is none yet, a new version is logged to the training's run. row: the model's
        leaderboard row. rate: of false alarms, the default of its scores' verdict. notes: on the
        data, for the model's card.
        """
        sha256 = model_sha256(folder)
        registered = self.of_model(sha256)
        if registered:
            return registered[0]
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        model = load(folder)
        description = model.description
        tags = {
            **tags,
            "model_sha256": sha256,
            "split_sha256": description.split_sha256,
            "kind": description.model_type,
            "fingerprint": description.fingerprint,
        }
        card = model_card(self.name, row, model, tags, notes)
        experiment = self.client.get_run(run_id).info.experiment_id
        mlflow.set_experiment(experiment_id=experiment)  # where the model belongs
        logged = log_model(folder, run_id, description.model_type, card, tags, rate)
        version = self._create_version(logged, run_id, card, tags)
        return self._lowest(sha256, version)

    def _create_version(
        self, logged: ModelInfo, run_id: str, card: str, tags: dict[str, str]
    ) -> str:
        """Registers a logged model as a new version."""
        # it is there already; a refusal for any other reason is repeated by the next call
        with suppress(MlflowException):
            self.client.create_registered_model(self.name)
        created = self.client.create_model_version(
            self.name,
            logged.model_uri,
            run_id,
            tags=tags,
            description=card,
            model_id=logged.model_id,
        )
        if not address.is_server(address.uri()):  # a server does so itself
            versions = json.dumps([{"name": self.name, "version": int(created.version)}])
            self.client.set_logged_model_tags(logged.model_id, {"mlflow.modelVersions": versions})
        return str(created.version)

    def _lowest(self, sha256: str, version: str) -> str:
        """The lowest version of the same bytes, the only one that stays.

        Another clone may have made one at the same moment.
        """
        lowest = self.of_model(sha256)[0]
        if lowest != version:
            self.client.delete_model_version(self.name, version)
        return lowest

    def decide(self, version: str, folder: Path, data: Prepared, params: Params) -> Decision | None:
        """Makes the winner's version the champion or the challenger.

        Returns None where it is the champion already.
        """
        state = self.ledger.read()
        champion = state.champion
        if champion == version:
            return None
        if champion is None:
            reason = "the first champion"
        elif not self._has_seen_the_same_split(champion, data):
            return self.keep(version, _other_split(champion, version))
        else:
            uri = f"models:/{self.name}/{champion}"
            model = load(folder)
            rival = load_fetched(uri, fetch(uri))
            is_better, reason = compare(model, rival, champion, data, params)
            if not is_better:
                return self.keep(version, reason)
        decision = self._promote(version, reason, state)
        if decision is None:
            # a comparison takes seconds: someone else has decided meanwhile, so that there is
            # another champion to beat
            return self.decide(version, folder, data, params)
        return decision

    def _has_seen_the_same_split(self, version: str, data: Prepared) -> bool:
        """Whether a version was trained on the same split and columns."""
        tags = self.client.get_model_version(self.name, version).tags
        return tags.get("split_sha256") == data.description.split_sha256

    def keep(self, version: str, reason: str) -> Decision:
        """Makes a version the challenger of the present champion."""
        self.client.set_registered_model_alias(self.name, CHALLENGER, version)
        return self.ledger.keep(version, reason)

    def promote_by_hand(self, version: str, reason: str) -> Decision:
        """Makes a version the champion because a user says so.

        Raises UserError where there is no such version.
        """
        numbers = self.version_numbers()
        if version not in numbers:
            listed = ", ".join(numbers) or "none"
            raise UserError(f"{self.name}: no version {version}; there are {listed}")
        decision = self.ledger.promote(version, reason)
        self._end_challenge(decision.version)
        return decision

    def _promote(self, version: str, reason: str, state: State) -> Decision | None:
        """Makes a version the champion; returns None where the champion is another one by now."""
        decision = self.ledger.decide(PROMOTED, version, version, reason, state)
        if decision is not None:
            self._end_challenge(decision.version)
        return decision

    def _end_challenge(self, champion: str) -> None:
        """Removes the challenger's alias from the champion, which challenges nobody any more."""
        if self.challenger() == champion:
            self.client.delete_registered_model_alias(self.name, CHALLENGER)

    def rollback(self) -> Decision:
        """Undoes the last promotion that was not undone yet.

        Raises UserError where there is none.
        """
        return self.ledger.roll_back(self.version_numbers())

    def history(self) -> list[Decision]:
        """This model's decisions, the oldest first."""
        decisions = self.ledger.decisions()
        with suppress(OSError):  # in a folder that can only be read, the copy stays as it is
            write_copy(self.name, decisions)
        return decisions


def _other_split(champion: str, version: str) -> str:
    """The reason for which a champion of another split is not compared with a version."""
    return (
        f"the champion, version {champion}, was trained on another split or other columns and "
        "may have seen these test rows, so it is not scored on them; "
        f"`ae registry promote {version}` makes version {version} the champion"
    )


def present(*, writing: bool = True) -> Registry:
    """Returns the registered model of the data set in params.yaml.

    writing: whether the caller may change anything there.
    """
    return Registry(connected(writing=writing), load_params().data.title)
