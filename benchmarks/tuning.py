"""Trials a minute on digits: this project's studies against the usual recipe, interleaved.

`make bench`, a few minutes. The usual recipe: Optuna, Lightning with TensorDataset and DataLoader,
self.log in every step, MLFlowLogger, one MLflow run a trial. Both train the same networks with the
same values, epochs and batches, on one thread, and log to SQLite.
"""

import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import MODEL_TYPE, ROOT, Unlogged, digits, record

PAIRS = 7
TRIALS = 10  # of a study
# both recipes try the same values, each in all of its epochs
SETTINGS = {"tune.sampler": "random", "tune.pruner": "none", "tune.epochs": 25}


def main() -> None:
    """Measures both comparisons, records the results and prints them."""
    scratch = tempfile.TemporaryDirectory()
    os.environ["DVC_ROOT"] = scratch.name
    os.chdir(ROOT)
    warnings.filterwarnings("ignore")
    from autoencoders.params.params import load_params
    from autoencoders.tracking.recorder import Recorder

    params = load_params(ROOT / "params.yaml").override({"data.name": "digits", **SETTINGS})
    data = digits(params, Path(scratch.name))
    above = Recorder(data.description).parent()

    def ours(seed: int) -> None:
        with Recorder(data.description) as recorder:
            _study(params, data, recorder, above, seed)

    def without_mlflow(seed: int) -> None:
        _study(params, data, Unlogged(), above, seed)

    def usual(seed: int) -> None:
        _usual_study(params, data, seed)

    results = [
        _compared("tune_vs_usual_small", usual, ours),
        _compared("tune_vs_without_logging_small", without_mlflow, ours),
    ]
    record(results)
    for result in results:
        print(
            f"{result['name']:32} {result['ratio']:5.2f} "
            f"({result['low']:.2f} to {result['high']:.2f}) {result['unit']}"
        )
    scratch.cleanup()


def _compared(
    name: str, other: Callable[[int], None], ours: Callable[[int], None]
) -> dict[str, Any]:
    """The median ratio of times over interleaved pairs; above 1 means that ours is faster."""
    ratios = []
    for function in (other, ours):
        function(0)  # imports and first uses
    for seed in range(1, PAIRS + 1):
        seconds = []
        for function in (other, ours):
            began = time.perf_counter()
            function(seed)
            seconds.append(time.perf_counter() - began)
        ratios.append(seconds[0] / seconds[1])
        print(
            f"{name} {seed}/{PAIRS}: "
            f"{seconds[0] / TRIALS:.2f} s and {seconds[1] / TRIALS:.2f} s a trial",
            file=sys.stderr,
        )
    low, high = min(ratios), max(ratios)
    return {
        "name": name,
        "ratio": statistics.median(ratios),
        "low": low,
        "high": high,
        "unit": "times as many trials",
    }


def _opened(params: Any, seed: int) -> Any:
    """A fresh study in a journal file, which draws the same values in both recipes."""
    import optuna

    from autoencoders.tuning.sampler import Repeatable
    from autoencoders.tuning.storage import open_storage

    study = optuna.create_study(storage=open_storage("journal"))
    tune = params.tune.model_copy(update={"seed": seed})
    study.sampler = Repeatable(tune, MODEL_TYPE, study)
    return study


def _study(params: Any, data: Any, recorder: Any, above: Any, seed: int) -> None:
    from autoencoders.tuning.forecast import Forecast
    from autoencoders.tuning.objective import Objective
    from autoencoders.tuning.study import trial_plan
    from autoencoders.tuning.worker import work

    plan = trial_plan(params.plan(MODEL_TYPE, data.description.facts), params.tune)
    objective = Objective(plan, params.tune, Forecast(), data, recorder, above, lambda: None)
    work(_opened(params, seed), objective, TRIALS, lambda: None)


def _usual_study(params: Any, data: Any, seed: int) -> None:
    import pytorch_lightning as pl
    import torch
    from pytorch_lightning.loggers import MLFlowLogger
    from torch.utils.data import DataLoader, TensorDataset

    from autoencoders.models import build
    from autoencoders.params.space import dimensions
    from autoencoders.tracking import address
    from autoencoders.tuning.objective import suggest
    from autoencoders.tuning.study import trial_plan

    x = {
        split: torch.from_numpy(data.scaled(data.sample(split)))
        for split in ("train", "validation")
    }

    class Usual(pl.LightningModule):
        def __init__(self, autoencoder: Any, train: Any) -> None:
            super().__init__()
            self.autoencoder, self.train_params = autoencoder, train

        def loss(self, batch: Any) -> Any:
            return self.autoencoder.reconstruction_loss(
                self.autoencoder.encode(batch[0]), batch[0]
            ).mean()

        def training_step(self, batch: Any, index: int) -> Any:
            loss = self.loss(batch)
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("val_loss", self.loss(batch))

        def configure_optimizers(self) -> Any:
            train = self.train_params
            optimizer = torch.optim.AdamW(
                self.parameters(), lr=train.learning_rate, weight_decay=train.weight_decay
            )
            return [optimizer], [
                torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, train.epochs)
            ]

    untuned = trial_plan(params.plan(MODEL_TYPE, data.description.facts), params.tune)

    def objective(trial: Any) -> Any:
        values = {d.param: suggest(trial, d) for d in dimensions(params.tune, untuned)}
        plan = untuned.with_values(values)
        train = plan.train
        torch.manual_seed(params.seed)
        module = Usual(build(MODEL_TYPE, plan.architecture, {}), train)
        logger = MLFlowLogger(
            "usual", tracking_uri=address.uri(), artifact_location=str(address.folder())
        )
        logger.log_hyperparams(values)
        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
        trainer = pl.Trainer(
            default_root_dir=address.folder(),
            max_epochs=train.epochs,
            logger=logger,
            enable_progress_bar=False,
            enable_model_summary=False,
            accelerator="cpu",
        )
        trainer.fit(
            module,
            DataLoader(TensorDataset(x["train"]), batch_size=train.batch_size, shuffle=True),
            DataLoader(TensorDataset(x["validation"]), batch_size=train.batch_size),
        )
        return float(trainer.callback_metrics["val_loss"])

    _opened(params, seed).optimize(objective, n_trials=TRIALS)


if __name__ == "__main__":
    main()
