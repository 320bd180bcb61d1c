"""The registered model: its versions and aliases (`ledger.py` holds every decision about the champion).

Types are ranked on validation; the best of them is compared with the present champion on the same test rows.
"""

import json
import logging
from contextlib import suppress
from pathlib import Path

import mlflow
from jinja2 import Environment, PackageLoader, StrictUndefined
from mlflow import MlflowException
from mlflow.entities.model_registry import ModelVersion

from autoencoders.core.errors import UserError
from autoencoders.data.prepared.prepared import Prepared
from autoencoders.evaluation.bootstrap import Bootstrap
from autoencoders.evaluation.catalogue import PCA_SQUARED_ERROR
from autoencoders.evaluation.row import Row
from autoencoders.models.trained.fidelity import fidelity
from autoencoders.models.trained.saved import load
from autoencoders.params.params import Params, load_params
from autoencoders.registry.ledger import Decision, Ledger, State
from autoencoders.registry.versions import fetched, loaded, log_model, model_sha256
from autoencoders.tracking import address
from autoencoders.tracking.recorder import experiment_name
from autoencoders.tracking.runs import connected

CHALLENGER = "challenger"
VERDICT = {True: "beats", False: "does not beat"}


class Registry:
    """One registered model: the versions of all types trained on one data set."""

    def __init__(self, client: mlflow.MlflowClient, data: str) -> None:
        self.client, self.name = client, experiment_name(data)
        self.ledger = Ledger(client, self.name)

    def champion(self) -> str | None:
        """The champion's version, if there is one."""
        return self.ledger.read().champion

    def challenger(self) -> str | None:
        """The challenger's version, if there is one."""
        version = self.client.get_registered_model(self.name).aliases.get(CHALLENGER)
        return None if version is None else str(version)

    def versions(self) -> list[ModelVersion]:
        """All versions, the newest first."""
        return self._search(f"name = '{self.name}'")

    def of_model(self, sha256: str) -> list[str]:
        """The versions of the same bytes, the lowest number first."""
        found = self._search(f"name = '{self.name}' and tags.model_sha256 = '{sha256}'")
        return sorted((str(version.version) for version in found), key=int)

    def _search(self, query: str) -> list[ModelVersion]:
        order = ["version_number DESC"]
        return list(self.client.search_model_versions(query, max_results=10_000, order_by=order))

    def add(self, folder: Path, run_id: str, row: Row, tags: dict[str, str], rate: float) -> str:
        """The version of the model in a folder: the one that there is, else a new one, logged to the training's run.

        row: its leaderboard row. rate: of false alarms, the default of its scores' verdict.
        """
        sha256 = model_sha256(folder)
        same = self.of_model(sha256)
        if same:
            return same[0]
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        model = load(folder)
        description = model.description
        tags = {**tags, "model_sha256": sha256, "split_sha256": description.split_sha256}
        tags |= {"kind": description.model_type, "fingerprint": description.fingerprint}
        loader = PackageLoader("autoencoders", "registry")
        templates = Environment(loader=loader, undefined=StrictUndefined)  # noqa: S701  (Markdown)
        card = templates.get_template("model_card.md.j2").render(
            name=self.name, row=row, pca=PCA_SQUARED_ERROR, model=model, tags=tags
        )
        mlflow.set_experiment(
            experiment_id=self.client.get_run(run_id).info.experiment_id
        )  # where the model belongs
        logged = log_model(folder, run_id, description.model_type, card, tags, rate)
        with suppress(
            MlflowException
        ):  # it is there already; of any other reason the next call tells
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
        return self._one_of(sha256, str(created.version))

    def _one_of(self, sha256: str, version: str) -> str:
        """The lowest version of the same bytes: another clone may have made one at the same moment."""
        lowest = self.of_model(sha256)[0]
        if lowest != version:
            self.client.delete_model_version(self.name, version)
        return lowest

    def decide(self, version: str, folder: Path, data: Prepared, params: Params) -> Decision | None:
        """Makes the winner's version the champion or the challenger; None where it is the champion already."""
        state = self.ledger.read()
        champion = state.champion
        if champion == version:
            return None
        if champion is None:
            return self._promoted(version, "the first champion", state) or self.decide(
                version, folder, data, params
            )
        tags = self.client.get_model_version(self.name, champion).tags
        if tags.get("split_sha256") != data.description.split_sha256:
            reason = f"the champion, version {champion}, was trained on another split or other columns and may have "
            reason += "seen these test rows, so it is not scored on them; "
            return self.keep(
                version,
                f"{reason}`ae registry promote {version}` makes version {version} the champion",
            )
        better, reason = self._compare(champion, folder, data, params)
        if not better:
            return self.keep(version, reason)
        # a comparison takes seconds: where someone else has decided meanwhile, there is another champion to beat
        return self._promoted(version, reason, state) or self.decide(version, folder, data, params)

    def _compare(
        self, champion: str, folder: Path, data: Prepared, params: Params
    ) -> tuple[bool, str]:
        """Whether the folder's model beats the champion, and why: by the code, as the goal ranks it, then by error.

        Raises DataError where this code can't read the champion.
        """
        uri = f"models:/{self.name}/{champion}"
        models = [load(folder), loaded(uri, fetched(uri))]
        sizes = [model.description.architecture.code_size for model in models]
        found = [
            (n, fidelity(m.reconstruct, data, "validation")[1])
            for n, m in zip(sizes, models, strict=True)
        ]
        ranks = [params.tune.rank(size, 0, kept)[0] for size, kept in found]
        if ranks[0] != ranks[1]:
            better, told = (
                ranks[0] < ranks[1],
                [f"code size {size}, which keeps {kept:.1%}" for size, kept in found],
            )
            asked = f"(of the validation variance; tune.explained_variance = {params.tune.explained_variance})"
            return better, f"{told[0]}, {VERDICT[better]} version {champion}'s {told[1]} {asked}"
        errors = [fidelity(model.reconstruct, data, "test")[0] for model in models]
        bootstrap = Bootstrap(
            len(errors[0]), params.evaluate.bootstrap_samples, params.evaluate.seed
        )
        mean, low, high = bootstrap.intervals({"difference": errors[0] - errors[1]})["difference"]
        return high < 0, (
            f"test squared error {errors[0].mean():.4f} {VERDICT[high < 0]} version {champion}'s {errors[1].mean():.4f}"
            f": difference {mean:.4f}, paired 95 % interval {low:.4f} to {high:.4f}"
        )

    def keep(self, version: str, reason: str) -> Decision:
        """Makes a version the challenger of the present champion."""
        self.client.set_registered_model_alias(self.name, CHALLENGER, version)
        return self.ledger.keep(version, reason)

    def promote_by_hand(self, version: str, reason: str) -> Decision:
        """Makes a version the champion because someone said so. Raises UserError where there is no such version."""
        known = self._known()
        if version not in known:
            raise UserError(
                f"{self.name}: no version {version}; there are {', '.join(known) or 'none'}"
            )
        return self._no_challenger(self.ledger.promote(version, reason))

    def _known(self) -> list[str]:
        """The numbers of all versions, the oldest first."""
        return [str(version.version) for version in reversed(self.versions())]

    def _promoted(self, version: str, reason: str, state: State) -> Decision | None:
        """Makes a version the champion; None where the champion is another one by now."""
        decision = self.ledger.decide("promoted", version, version, reason, state)
        return None if decision is None else self._no_challenger(decision)

    def _no_challenger(self, decision: Decision) -> Decision:
        """A champion challenges nobody any more."""
        if self.challenger() == decision.version:
            self.client.delete_registered_model_alias(self.name, CHALLENGER)
        return decision

    def rollback(self) -> Decision:
        """Undoes the last promotion that was not undone yet. Raises UserError where there is none."""
        return self.ledger.rolled_back(self._known())

    def history(self) -> list[Decision]:
        """This model's decisions, the oldest first."""
        state = self.ledger.read()
        with suppress(OSError):  # in a folder that can only be read, the copy stays as it is
            self.ledger.copy(state)
        return state.decisions


def present(*, writing: bool = True) -> Registry:
    """The registered model of the data set in params.yaml. writing: whether the caller may change anything there."""
    return Registry(connected(writing=writing), load_params().data.title)
