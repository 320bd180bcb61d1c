"""The registered models: versions, which becomes the champion, and the ledger of every decision about it.

Types are ranked on validation; the best of them is compared with the present champion on the same test rows.
"""

import getpass
import json
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
from filelock import FileLock
from jinja2 import Environment, PackageLoader, StrictUndefined
from mlflow import MlflowException, types
from mlflow.models import ModelSignature

import autoencoders
from autoencoders.checkpoint import DESCRIPTION, load
from autoencoders.data.prepared import Prepared
from autoencoders.errors import UserError
from autoencoders.evaluation.metrics import Bootstrap, fidelity
from autoencoders.files import copied, tree_sha256
from autoencoders.operations import OPERATIONS, SETTINGS
from autoencoders.params import Params, load_params
from autoencoders.stage import MODELS
from autoencoders.tracking import store
from autoencoders.tracking.runs import Runs

CHAMPION, CHALLENGER = "champion", "challenger"
VERDICT = {True: "beats", False: "does not beat"}
RANKED = ("code_size", "validation_squared_error", "validation_explained_variance")
REQUIREMENTS = ("mlflow", "numpy", "safetensors", "torch")
model_sha256 = tree_sha256  # the identity of a saved model: the hash of its files


class Decision(NamedTuple):
    """One line of the ledger."""

    time: str  # UTC
    user: str
    name: str  # of the registered model
    action: str  # promoted, kept, rolled_back
    version: str  # that the decision is about
    before: str | None  # the champion's version
    after: str | None
    reason: str

    def told(self) -> str:
        """The decision in one line."""
        champion = f"version {self.after}" if self.after else "none"
        what = f"{self.name} version {self.version} {self.action}"
        return f"{self.time} {self.user}: {what}, @{CHAMPION}: {champion}: {self.reason}"


class Registry:
    """One registered model: the versions of all types trained on one data set."""

    def __init__(self, client: mlflow.MlflowClient, data: str) -> None:
        self.client, self.name = client, store.name(data)
        self.ledger = store.folder() / "registry.jsonl"
        self.lock = FileLock(store.folder() / "registry.lock")  # held while alias and ledger change

    def champion(self) -> str | None:
        """The champion's version, if there is one."""
        return self._alias(CHAMPION)

    def _alias(self, alias: str) -> str | None:
        found = self.client.search_registered_models(f"name = '{self.name}'")
        return str(found[0].aliases[alias]) if found and alias in found[0].aliases else None

    def versions(self) -> list[Any]:
        """All versions, the newest first."""
        order = ["version_number DESC"]
        return list(self.client.search_model_versions(f"name = '{self.name}'", max_results=10_000, order_by=order))

    def add(self, folder: Path, run_id: str, row: Mapping[str, Any], tags: dict[str, str], rate: float) -> str:
        """The version of the model in a folder: the one that there is, else a new one, logged to the training's run.

        row: its leaderboard row. rate: of false alarms, the default of its scores' verdict.
        """
        mark = model_sha256(folder)
        if same := self.client.search_model_versions(f"name = '{self.name}' and tags.model_sha256 = '{mark}'"):
            return str(same[0].version)
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        model = load(folder)
        description = model.description
        tags = {**tags, "model_sha256": mark, "split_sha256": description.split_sha256}
        tags |= {"kind": description.kind, "fingerprint": description.fingerprint}
        templates = Environment(loader=PackageLoader("autoencoders", "tracking"), undefined=StrictUndefined)  # noqa: S701  (Markdown)
        card = templates.get_template("model_card.md.j2").render(name=self.name, row=row, model=model, tags=tags)
        quiet = warnings.catch_warnings(record=True, action="ignore")  # mlflow wants hints, and warns of them
        with mlflow.start_run(run_id=run_id), tempfile.TemporaryDirectory() as scratch, quiet:
            (path := Path(scratch, "model_card.md")).write_text(card, encoding="utf-8")
            logged = mlflow.pyfunc.log_model(
                name=description.kind,
                python_model=str(Path(autoencoders.__file__).with_name("serving.py")),
                code_paths=[str(copied(Path(autoencoders.__file__).parent, Path(scratch)))],
                artifacts={"model": str(folder.resolve()), "card": str(path)},
                pip_requirements=[f"{package}=={installed(package).split('+')[0]}" for package in REQUIREMENTS],
                signature=signature(rate),
                metadata=tags,
            )
        with suppress(MlflowException):  # it is there already; of any other reason the next call tells
            self.client.create_registered_model(self.name)
        created = self.client.create_model_version(self.name, logged.model_uri, run_id, tags=tags, description=card)
        return str(created.version)

    def decide(self, version: str, folder: Path, data: Prepared, params: Params) -> Decision | None:
        """Makes the winner's version the champion or the challenger; None where it is the champion already."""
        with self.lock:
            champion = self.champion()
            if champion == version:
                return None
            if champion is None:
                return self._decide("promoted", version, version, "the first champion")
            tags = self.client.get_model_version(self.name, champion).tags
            if tags.get("split_sha256") != data.description.split_sha256:
                told = f"the champion, version {champion}, was trained on another split or other columns and may have "
                told += "seen these test rows, so it is not scored on them; "
                return self.keep(version, f"{told}`ae registry promote {version}` makes version {version} the champion")
            better, told = self._compare(champion, folder, data, params)
            return self._decide("promoted", version, version, told) if better else self.keep(version, told)

    def _compare(self, champion: str, folder: Path, data: Prepared, params: Params) -> tuple[bool, str]:
        """Whether the folder's model beats the champion, and why: by the code, as the goal ranks it, then by error.

        Raises DataError where this code can't read the champion.
        """
        models = [load(folder), load(fetched(f"models:/{self.name}/{champion}"))]
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
        with self.lock:
            self.client.set_registered_model_alias(self.name, CHALLENGER, version)
            return self._decide("kept", version, self.champion(), reason)

    def promote_by_hand(self, version: str, reason: str) -> Decision:
        """Makes a version the champion because someone said so. Raises UserError where there is no such version."""
        with self.lock:
            known = [str(v.version) for v in self.versions()]
            if version not in known:
                raise UserError(f"{self.name}: no version {version}; there are {', '.join(reversed(known)) or 'none'}")
            return self._decide("promoted", version, version, reason)

    def rollback(self) -> Decision:
        """Undoes the last promotion that was not undone yet. Raises UserError where there is none."""
        with self.lock:
            standing: list[Decision] = []
            for decision in self.history():
                if decision.action == "promoted":
                    standing.append(decision)
                elif decision.action == "rolled_back":
                    del standing[-1:]
            if not standing:
                raise UserError(f"{self.name}: no promotion to roll back")
            before = standing[-1].before
            if before not in (None, *(str(v.version) for v in self.versions())):
                raise UserError(f"{self.name}: version {before}, the champion before, was deleted; promote another one")
            return self._decide("rolled_back", standing[-1].version, before, "`ae registry rollback`")

    def history(self) -> list[Decision]:
        """This model's decisions, the oldest first."""
        lines = self.ledger.read_text(encoding="utf-8").splitlines() if self.ledger.exists() else []
        return [d for d in (Decision(**json.loads(line)) for line in lines) if d.name == self.name]

    def _decide(self, action: str, version: str, champion: str | None, reason: str) -> Decision:
        """Makes a version the champion, or leaves none, and writes the decision to the ledger."""
        before = self.champion()
        if champion is None:
            self.client.delete_registered_model_alias(self.name, CHAMPION)
        else:
            self.client.set_registered_model_alias(self.name, CHAMPION, champion)
        if self._alias(CHALLENGER) == champion:
            self.client.delete_registered_model_alias(self.name, CHALLENGER)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        decision = Decision(now, getpass.getuser(), self.name, action, version, before, champion, reason)
        with self.ledger.open("a", encoding="utf-8") as file:
            file.write(json.dumps(decision._asdict()) + "\n")
        return decision


def present() -> Registry:
    """The registered model of the data set in params.yaml."""
    return Registry(store.open_store(), load_params().data.title)


def register(runs: Runs, rows: Sequence[Mapping[str, Any]], data: Prepared, params: Params) -> list[str]:
    """Registers every trained model, lets the best one challenge the champion, and tells what was decided."""
    registry, versions = Registry(runs.client, data.description.name), dict[str, str]()
    for row in rows:
        if (kind := str(row["model"])) in params.kinds:
            run, rate = runs.trained(MODELS / kind), params.evaluate.false_alarm_rate
            versions[kind] = registry.add(MODELS / kind, run.id, row, runs.lineage(), rate)
    known = ", ".join(f"{kind} is version {version}" for kind, version in versions.items())
    best = winner(rows, params)
    told = f"{best} is the best on validation"
    if registry.champion() is not None and not may_promote(params):
        told += "; an experiment changes no champion (registry.promote)"
    elif (decision := registry.decide(versions[best], MODELS / best, data, params)) is None:
        told += f" and already @{CHAMPION}: version {versions[best]}"
    else:
        alias = CHAMPION if decision.action == "promoted" else CHALLENGER
        told += f" and now @{alias}: version {versions[best]}: {decision.reason}"
    return [f"{registry.name}: {known}", told]


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
    try:
        return next(Path(mlflow.artifacts.download_artifacts(uri)).glob(f"artifacts/*/{DESCRIPTION}")).parent
    except (MlflowException, OSError, StopIteration) as error:
        raise UserError(f"{uri}: {error}; `ae registry history` tells what there is") from error


def signature(rate: float) -> ModelSignature:
    """What `predict` may be told; of rows it says nothing, as they may be columns, features, images or codes."""
    specs = [types.ParamSpec("op", "string", OPERATIONS[0]), types.ParamSpec("false_alarm_rate", "double", rate)]
    specs += [types.ParamSpec(name, "long", default) for name, default in SETTINGS.items()]
    return ModelSignature(params=types.ParamSchema(specs))
