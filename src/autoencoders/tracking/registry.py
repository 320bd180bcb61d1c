"""The registered models: versions, and which becomes the champion (`ledger.py` holds every decision about it).

Types are ranked on validation; the best of them is compared with the present champion on the same test rows.
"""

import json
import logging
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import mlflow
from jinja2 import Environment, PackageLoader, StrictUndefined
from mlflow import MlflowException, types
from mlflow.models import Model, ModelSignature

import autoencoders
from autoencoders.checkpoint import DESCRIPTION, TrainedModel, load
from autoencoders.data.prepared import Prepared, load_prepared
from autoencoders.errors import DataError, UserError
from autoencoders.evaluation.metrics import Bootstrap, fidelity
from autoencoders.files import copied, read_json, tree_sha256
from autoencoders.operations import OPERATIONS, SETTINGS
from autoencoders.params import Params, load_params
from autoencoders.stage import DATA, METRICS, MODELS, REGISTERED
from autoencoders.tracking import address, store
from autoencoders.tracking.ledger import CHAMPION, Decision, Ledger, State
from autoencoders.tracking.recorder import experiment_name
from autoencoders.tracking.runs import Runs, connected

CHALLENGER = "challenger"
VERDICT = {True: "beats", False: "does not beat"}
RANKED = ("code_size", "validation_squared_error", "validation_explained_variance")
REQUIREMENTS = ("mlflow", "numpy", "safetensors", "torch")
model_sha256 = tree_sha256  # the identity of a saved model: the hash of its files


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

    def versions(self) -> list[Any]:
        """All versions, the newest first."""
        return self._search(f"name = '{self.name}'")

    def of_model(self, sha256: str) -> list[str]:
        """The versions of the same bytes, the lowest number first."""
        found = self._search(f"name = '{self.name}' and tags.model_sha256 = '{sha256}'")
        return sorted((str(version.version) for version in found), key=int)

    def _search(self, query: str) -> list[Any]:
        order = ["version_number DESC"]
        return list(self.client.search_model_versions(query, max_results=10_000, order_by=order))

    def add(self, folder: Path, run_id: str, row: Mapping[str, Any], tags: dict[str, str], rate: float) -> str:
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
        tags |= {"kind": description.kind, "fingerprint": description.fingerprint}
        templates = Environment(loader=PackageLoader("autoencoders", "tracking"), undefined=StrictUndefined)  # noqa: S701  (Markdown)
        card = templates.get_template("model_card.md.j2").render(name=self.name, row=row, model=model, tags=tags)
        mlflow.set_experiment(experiment_id=self.client.get_run(run_id).info.experiment_id)  # where the model belongs
        logged = log_model(folder, run_id, description.kind, card, tags, rate)
        with suppress(MlflowException):  # it is there already; of any other reason the next call tells
            self.client.create_registered_model(self.name)
        created = self.client.create_model_version(
            self.name, logged.model_uri, run_id, tags=tags, description=card, model_id=logged.model_id
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
            return self._promoted(version, "the first champion", state) or self.decide(version, folder, data, params)
        tags = self.client.get_model_version(self.name, champion).tags
        if tags.get("split_sha256") != data.description.split_sha256:
            reason = f"the champion, version {champion}, was trained on another split or other columns and may have "
            reason += "seen these test rows, so it is not scored on them; "
            return self.keep(version, f"{reason}`ae registry promote {version}` makes version {version} the champion")
        better, reason = self._compare(champion, folder, data, params)
        if not better:
            return self.keep(version, reason)
        # a comparison takes seconds: where someone else has decided meanwhile, there is another champion to beat
        return self._promoted(version, reason, state) or self.decide(version, folder, data, params)

    def _compare(self, champion: str, folder: Path, data: Prepared, params: Params) -> tuple[bool, str]:
        """Whether the folder's model beats the champion, and why: by the code, as the goal ranks it, then by error.

        Raises DataError where this code can't read the champion.
        """
        uri = f"models:/{self.name}/{champion}"
        models = [load(folder), loaded(uri, fetched(uri))]
        sizes = [model.description.architecture.code_size for model in models]
        found = [(n, fidelity(m.reconstruct, data, "validation")[1]) for n, m in zip(sizes, models, strict=True)]
        ranks = [params.tune.rank(size, 0, kept)[0] for size, kept in found]
        if ranks[0] != ranks[1]:
            better, told = ranks[0] < ranks[1], [f"code size {size}, which keeps {kept:.1%}" for size, kept in found]
            asked = f"(of the validation variance; tune.explained_variance = {params.tune.explained_variance})"
            return better, f"{told[0]}, {VERDICT[better]} version {champion}'s {told[1]} {asked}"
        errors = [fidelity(model.reconstruct, data, "test")[0] for model in models]
        bootstrap = Bootstrap(len(errors[0]), params.evaluate.bootstrap_samples, params.evaluate.seed)
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
            raise UserError(f"{self.name}: no version {version}; there are {', '.join(known) or 'none'}")
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


def log_model(folder: Path, run_id: str, kind: str, card: str, tags: Mapping[str, str], rate: float) -> Any:
    """Logs a model's folder to the run of its training, whose state and times stay as they are."""
    quiet = warnings.catch_warnings(record=True, action="ignore")  # mlflow wants hints, and warns of them
    with tempfile.TemporaryDirectory() as scratch, quiet:
        path = Path(scratch, "model_card.md")
        path.write_text(card, encoding="utf-8")
        return Model.log(
            artifact_path=None,
            name=kind,
            flavor=mlflow.pyfunc,
            run_id=run_id,
            python_model=str(Path(autoencoders.__file__).with_name("serving.py")),
            code_paths=[str(copied(Path(autoencoders.__file__).parent, Path(scratch)))],
            artifacts={"model": str(folder.resolve()), "card": str(path)},
            pip_requirements=[f"{package}=={installed(package).split('+')[0]}" for package in REQUIREMENTS],
            signature=signature(rate),
            metadata=dict(tags),
            flavor_name="pyfunc.ModelFromCode",
        )


def present(*, writing: bool = True) -> Registry:
    """The registered model of the data set in params.yaml. writing: whether the caller may change anything there."""
    return Registry(connected(writing=writing), load_params().data.title)


def register(runs: Runs, rows: Sequence[Mapping[str, Any]], data: Prepared, params: Params) -> list[str]:
    """Registers every trained model, lets the best one challenge the champion, and returns what was decided."""
    registry = Registry(runs.client, data.description.name)
    versions = registered(registry, runs, rows, params)
    listed = ", ".join(f"{kind} is version {version}" for kind, version in versions.items())
    best = winner(rows, params)
    message = f"{best} is the best on validation"
    if registry.champion() is not None and not may_promote(params):
        message += "; an experiment changes no champion (registry.promote); `ae registry promote --best` compares it"
    else:
        message += decided(registry.decide(versions[best], MODELS / best, data, params), versions[best])
    return [f"{registry.name}: {listed}", message]


def registered(registry: Registry, runs: Runs, rows: Sequence[Mapping[str, Any]], params: Params) -> dict[str, str]:
    """Returns each trained type's version, registered where it is not yet."""
    versions = {}
    for row in rows:
        kind = str(row["model"])
        if kind in params.kinds:
            run_id = runs.trained(MODELS / kind)
            rate = params.evaluate.false_alarm_rate
            versions[kind] = registry.add(MODELS / kind, run_id, row, runs.lineage(), rate)
    return versions


def decided(decision: Decision | None, version: str) -> str:
    """Returns the end of a sentence about the best type: what was decided of its version."""
    if decision is None:
        return f" and already @{CHAMPION}: version {version}"
    alias = CHAMPION if decision.action == "promoted" else CHALLENGER
    return f" and now @{alias}: version {version}: {decision.reason}"


def promote_best() -> str:
    """Compares the present state's best model with the champion, as a plain `dvc repro` does; returns what was decided.

    Raises UserError where the present state was not evaluated.
    """
    path = METRICS / "leaderboard.json"
    if not path.exists():
        raise UserError(f"{path}: no such file; `dvc repro` makes it")
    params, data, rows = load_params(), load_prepared(DATA), read_json(path)
    runs = Runs(data.description)
    registry = Registry(runs.client, data.description.name)
    versions = registered(registry, runs, rows, params)
    if not versions:
        raise UserError(f"{path}: holds none of the types in params.yaml; `dvc repro` evaluates them")
    best = winner(rows, params)
    decision = registry.decide(versions[best], MODELS / best, data, params)
    return f"{registry.name}: {best} is the best on validation" + decided(decision, versions[best])


def winner(rows: Sequence[Mapping[str, Any]], params: Params) -> str:
    """The type that is the best on validation, by `Tune.rank`."""
    trained = [row for row in rows if row["model"] in params.kinds]
    return min((params.tune.rank(*(row[name] for name in RANKED)), str(row["model"])) for row in trained)[1]


def may_promote(params: Params) -> bool:
    """Whether this run may change the champion: a plain `dvc repro` may, an experiment only where it is told to."""
    promote = params.registry.promote
    return "DVC_EXP_NAME" not in os.environ if promote == "auto" else promote


def fetched(uri: str) -> Path:
    """The folder of the saved model behind a registered version or alias. Raises UserError where there is none."""
    scratch = None
    if address.is_server(address.uri()):
        scratch = store.scratch_folder()
    try:
        artifacts = Path(mlflow.artifacts.download_artifacts(uri, dst_path=scratch))
        return next(artifacts.glob(f"artifacts/*/{DESCRIPTION}")).parent
    except (MlflowException, OSError, StopIteration) as error:
        if isinstance(error, MlflowException) and store.is_outage(error):
            raise
        raise UserError(f"{uri}: {error}; `ae registry history` tells what there is") from error


def loaded(uri: str, folder: Path) -> TrainedModel:
    """A registered model, from the folder where `fetched` has put it. Raises UserError where its files are damaged."""
    try:
        return load(folder)
    except DataError as error:
        found = str(error).partition("; ")[0]
        raise UserError(
            f"{uri} is damaged in the registry: {found}; take another version, or delete this one in MLflow and "
            f"{REGISTERED} here, and `dvc repro` registers it anew"
        ) from error


def signature(rate: float) -> ModelSignature:
    """What `predict` may be told; of rows it says nothing, as they may be columns, features, images or codes."""
    specs = [types.ParamSpec("op", "string", OPERATIONS[0]), types.ParamSpec("false_alarm_rate", "double", rate)]
    specs += [types.ParamSpec(name, "long", default) for name, default in SETTINGS.items()]
    return ModelSignature(params=types.ParamSchema(specs))
