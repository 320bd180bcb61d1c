"""The registered models: versions, the champion's alias, and the ledger of every decision about it."""

import getpass
import json
import logging
import tempfile
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import mlflow
from filelock import FileLock
from jinja2 import Environment, PackageLoader, StrictUndefined
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ParamSchema, ParamSpec

import autoencoders
from autoencoders.checkpoint import DESCRIPTION, TrainedModel, load
from autoencoders.errors import UserError
from autoencoders.files import tree_sha256
from autoencoders.operations import OPERATIONS, SETTINGS
from autoencoders.params import load_params
from autoencoders.tracking import store

CHAMPION, CHALLENGER = "champion", "challenger"
REQUIREMENTS = ("mlflow", "numpy", "safetensors", "torch")


@dataclass(frozen=True)
class Decision:
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

    def __init__(self, client: mlflow.MlflowClient, name: str) -> None:
        self.client, self.name = client, name
        self.ledger = store.folder() / "registry.jsonl"

    def lock(self) -> FileLock:
        """Held while alias and ledger change."""
        return FileLock(store.folder() / "registry.lock")

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
        for version in self.versions():
            if version.tags.get("model_sha256") == mark:
                return str(version.version)
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        model = load(folder)
        description = model.description
        tags = {**tags, "model_sha256": mark, "split_sha256": description.split_sha256}
        tags |= {"kind": description.kind, "fingerprint": description.fingerprint}
        card = self._card(model, row, tags)
        quiet = warnings.catch_warnings(record=True, action="ignore")  # mlflow wants hints, and warns of them
        with mlflow.start_run(run_id=run_id), tempfile.TemporaryDirectory() as scratch, quiet:
            (path := Path(scratch, "model_card.md")).write_text(card, encoding="utf-8")
            logged = mlflow.pyfunc.log_model(
                name=description.kind,
                python_model=str(Path(autoencoders.__file__).with_name("serving.py")),
                code_paths=[str(Path(autoencoders.__file__).parent)],
                artifacts={"model": str(folder.resolve()), "card": str(path)},
                pip_requirements=[f"{package}=={installed(package).split('+')[0]}" for package in REQUIREMENTS],
                signature=signature(rate),
                metadata=tags,
            )
        with suppress(MlflowException):  # it is there already; of any other reason the next call tells
            self.client.create_registered_model(self.name)
        created = self.client.create_model_version(self.name, logged.model_uri, run_id, tags=tags, description=card)
        return str(created.version)

    def _card(self, model: TrainedModel, row: Mapping[str, Any], tags: dict[str, str]) -> str:
        environment = Environment(loader=PackageLoader("autoencoders", "tracking"), undefined=StrictUndefined)  # noqa: S701  (Markdown)
        return environment.get_template("model_card.md.j2").render(
            name=self.name,
            row=row,
            features=model.description.architecture.n_features,
            purpose=(type(model.autoencoder).__doc__ or "").splitlines()[0],
            intervals={key.removesuffix("_ci95"): value for key, value in row.items() if key.endswith("_ci95")},
            lineage=tags,
        )

    def load(self, version: str) -> TrainedModel:
        """A version's model. Raises DataError where this code can't read it."""
        return load(fetched(f"models:/{self.name}/{version}"))

    def tags(self, version: str) -> dict[str, str]:
        """A version's tags."""
        return dict(self.client.get_model_version(self.name, version).tags)

    def promote(self, version: str, reason: str) -> Decision:
        """Makes a version the champion. The caller holds the lock."""
        return self._decide("promoted", version, version, reason)

    def keep(self, version: str, reason: str) -> Decision:
        """Makes a version the challenger of the present champion. The caller holds the lock."""
        self.client.set_registered_model_alias(self.name, CHALLENGER, version)
        return self._decide("kept", version, self.champion(), reason)

    def promote_by_hand(self, version: str, reason: str) -> Decision:
        """Makes a version the champion because someone said so. Raises UserError where there is no such version."""
        with self.lock():
            known = [str(v.version) for v in self.versions()]
            if version not in known:
                raise UserError(f"{self.name}: no version {version}; there are {', '.join(reversed(known)) or 'none'}")
            return self.promote(version, reason)

    def rollback(self) -> Decision:
        """Undoes the last promotion that was not undone yet. Raises UserError where there is none."""
        with self.lock():
            standing: list[Decision] = []
            for decision in self.history():
                if decision.action == "promoted":
                    standing.append(decision)
                elif decision.action == "rolled_back":
                    del standing[-1:]
            if not standing:
                raise UserError(f"{self.name}: no promotion to roll back")
            return self._decide("rolled_back", standing[-1].version, standing[-1].before, "`ae registry rollback`")

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
            file.write(json.dumps(asdict(decision)) + "\n")
        return decision


def present() -> Registry:
    """The registered model of the data set in params.yaml."""
    return Registry(store.open_store(), registered_name(load_params().data.title))


def registered_name(data: str) -> str:
    """The registered model of a data set."""
    return f"autoencoder-{data}"


def model_sha256(folder: Path) -> str:
    """The identity of a saved model: the hash of its files."""
    return tree_sha256(folder)


def fetched(uri: str) -> Path:
    """The folder of the saved model behind a registered version or alias. Raises UserError where there is none."""
    try:
        return next(Path(mlflow.artifacts.download_artifacts(uri)).glob(f"artifacts/*/{DESCRIPTION}")).parent
    except (MlflowException, OSError, StopIteration) as error:
        raise UserError(f"{uri}: {error}; `ae registry history` tells what there is") from error


def signature(rate: float) -> ModelSignature:
    """What `predict` may be told; of rows it says nothing, as they may be columns, features, images or codes."""
    specs = [ParamSpec("op", "string", OPERATIONS[0]), ParamSpec("false_alarm_rate", "double", rate)]
    specs += [ParamSpec(name, "long", default) for name, default in SETTINGS.items()]
    return ModelSignature(params=ParamSchema(specs))
