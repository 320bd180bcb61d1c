"""Speed of `fit` beside a hand-written loop and the usual Lightning recipe, interleaved.

`make bench`, some minutes. All train the same networks on the same rows with the same batches,
epochs and learning rates, on one thread, and look at the validation rows once an epoch. The loops
are written by hand in plain torch with fused AdamW; the usual recipe is TensorDataset, DataLoader,
self.log in every step, Lightning's CSV logger and checkpoints. With --peers (`make bench-peers`)
other libraries train too, each in a process of .venv-peers: fit_peers.py. Beside each speed stands
the squared error on test rows.
"""

import argparse
import json
import logging
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from common import ROOT, record

ROUNDS = 7
TYPES = ("sparse", "contractive", "denoising", "variational")
PEERS = ("pythae", "keras_jax", "pyod", "sklearn")
PEERS_PYTHON = ROOT / ".venv-peers/bin/python"
LEARNING_RATE = 1e-3  # of the libraries of .venv-peers, which keep it
PEAK = 2e-3  # of a cosine, whose mean is half of that


class Case(NamedTuple):
    """A network, and the rows that it is trained on."""

    side: int  # of the images
    widths: list[int]
    code: int
    batch: int
    rows: int
    epochs: int


class Trained(NamedTuple):
    """The time of one training, and its model's squared error on the test rows."""

    seconds: float
    error: float


Recipe = Callable[[], Trained]
CASES = {
    "small": Case(8, [32], 8, 64, 12_800, 10),
    "middle": Case(28, [512, 256, 128], 32, 128, 12_800, 3),
}
HOW = {"fp32": {"train.precision": "32-true"}, "auto": {"train.precision": "auto"}}


def main() -> None:
    """Measures each case, records the results and prints them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", action="store_true", help="beside other libraries")
    parser.add_argument("--only", choices=CASES, help="one of the cases")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="interleaved rounds (default: %(default)s)"
    )
    arguments = parser.parse_args()
    os.chdir(ROOT)
    warnings.filterwarnings("ignore")
    import torch

    torch.set_num_threads(1)
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in [arguments.only] if arguments.only else CASES:
            bench = Bench(name, CASES[name], Path(scratch, name))
            results += (
                bench.peers(arguments.rounds) if arguments.peers else bench.ours(arguments.rounds)
            )
            record(results)
    _print(results)


class Bench:
    """One case: its rows as `data/prepared` has them, and the recipes."""

    def __init__(self, name: str, case: Case, folder: Path) -> None:
        from autoencoders.data.preparation.prepare import prepare
        from autoencoders.data.prepared.prepared import load_prepared
        from autoencoders.data.sources.source import download
        from autoencoders.params.params import load_params

        self.name = name
        self.case = case
        self.folder = folder
        folder.mkdir()
        held_out = 1000
        np.save(folder / "rows.npy", images(case.rows + 2 * held_out, case.side))
        values: dict[str, Any] = {
            "data.path": str(folder / "rows.npy"),
            "data.test_fraction": held_out / (case.rows + 2 * held_out),
            "data.validation_fraction": held_out / (case.rows + held_out),
            "network.code_size": case.code,
            "network.n_layers": len(case.widths),
            "network.nodes_per_layer": case.widths,
            "network.activation": "relu",
            "network.loss": "mse",
            "train.batch_size": case.batch,
            "train.epochs": case.epochs,
            "train.learning_rate": PEAK,
            "train.weight_decay": 0.0,
        }
        self.params = load_params(ROOT / "params.yaml").override(values)
        download(self.params.data, folder / "raw")
        prepare(folder / "raw", folder / "prepared", self.params.data)
        self.data = load_prepared(folder / "prepared")

    def ours(self, rounds: int) -> list[dict[str, Any]]:
        """Our speed beside the loop and the usual recipe.

        Each type beside its own loop, and contractive norms beside plain steps.
        """
        recipes = {
            "auto": self.fit("auto"),
            "fp32": self.fit("fp32"),
            "loop": self.loop(),
            "usual": self.usual,
        }
        trainings = interleaved(recipes, rounds, self.name)
        results = []
        for other in ("loop", "usual"):
            results.append(
                compared(f"fit_vs_{other}_{self.name}", trainings["auto"], trainings[other])
            )
            results.append(
                compared(f"fit_vs_{other}_{self.name}_fp32", trainings["fp32"], trainings[other])
            )
        for model_type in TYPES:
            pair = {"fp32": self.fit("fp32", model_type), "loop": self.loop(model_type)}
            trainings = interleaved(pair, rounds, f"{self.name} {model_type}")
            results.append(
                compared(
                    f"fit_vs_loop_{self.name}_{model_type}_fp32",
                    trainings["fp32"],
                    trainings["loop"],
                )
            )
        if self.name == "middle":
            self.params = self.params.override({"train.epochs": 1})
            self.case = self.case._replace(epochs=1)
            results += self.contractive(rounds)
        return results

    def contractive(self, rounds: int) -> list[dict[str, Any]]:
        """Trainings with the penalty beside trainings without.

        The exact norm is compared with one backward pass a code unit.
        """
        one = {
            "network.n_layers": 0,
            "network.nodes_per_layer": 1,
            "network.code_activation": "sigmoid",
        }
        one |= {"network.code_size": 128}
        jacobian = "models.contractive.jacobian"
        recipes = {
            "plain, one layer": self.fit("fp32", "undercomplete", one),
            "closed form": self.fit("fp32", "contractive", {**one, jacobian: "closed_form"}),
            "plain, deep": self.fit("fp32"),
            "estimate": self.fit("fp32", "contractive", {jacobian: "estimate"}),
            "exact": self.fit("fp32", "contractive", {jacobian: "exact"}),
            "unit by unit": self.loop("contractive_exact"),
        }
        trainings = interleaved(recipes, rounds, "contractive")
        return [
            compared(
                "contractive_closed_form_vs_plain",
                trainings["closed form"],
                trainings["plain, one layer"],
            ),
            compared(
                "contractive_estimate_vs_plain", trainings["estimate"], trainings["plain, deep"]
            ),
            compared(
                "contractive_exact_vs_autograd", trainings["exact"], trainings["unit by unit"]
            ),
        ]

    def peers(self, rounds: int) -> list[dict[str, Any]]:
        """Our speed beside the libraries of .venv-peers."""
        splits = ("train", "validation", "test")
        rows: dict[str, Any] = {s: self.data.scaled(self.data.sample(s)) for s in splits}
        np.savez(self.folder / "rows.npz", **rows)
        with ExitStack() as running:
            others = {name: running.enter_context(self._peer(name)) for name in PEERS}
            trainings = interleaved(
                {"auto": self.fit("auto"), "fp32": self.fit("fp32"), **others}, rounds, self.name
            )
        return [
            compared(
                f"fit_vs_{other}_{self.name}{'' if how == 'auto' else '_fp32'}",
                trainings[how],
                trainings[other],
            )
            for other in PEERS
            for how in ("auto", "fp32")
        ]

    @contextmanager
    def _peer(self, library: str) -> Iterator[Recipe]:
        """A library's training, in a process that waits for each turn."""
        settings = {
            **self.case._asdict(),
            "learning_rate": LEARNING_RATE,
            "rows": str(self.folder / "rows.npz"),
        }
        script = ROOT / "benchmarks/fit_peers.py"
        command: list[str | Path] = [PEERS_PYTHON, script, library, json.dumps(settings)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "KERAS_BACKEND": "jax"}
        environment |= {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        ) as process:

            def turn() -> Trained:
                assert process.stdin
                assert process.stdout
                process.stdin.write("\n")
                process.stdin.flush()
                return Trained(**json.loads(process.stdout.readline()))

            yield turn
            process.terminate()

    def fit(
        self, how: str, model_type: str = "undercomplete", values: dict[str, Any] | None = None
    ) -> Recipe:
        """The product's own entry point."""
        from autoencoders.models.trained.fidelity import fidelity
        from autoencoders.training.fit import fit

        params = self.params.override(
            {**HOW[how], "models.sparse.network.code_activation": "sigmoid"}
        )
        params = params.with_tuned(model_type, values or {})

        def recipe() -> Trained:
            began = time.perf_counter()
            fitted = fit(
                params.plan(model_type, self.data.description.facts), self.data, trial=True
            )
            seconds = time.perf_counter() - began
            return Trained(
                seconds, float(fidelity(fitted.model.reconstruct, self.data, "test")[0].mean())
            )

        return recipe

    def loop(self, model_type: str = "undercomplete") -> Recipe:
        """The loop that one writes by hand for one type."""
        import torch

        from loops import LOSSES, Pair

        rows = {
            s: torch.from_numpy(self.data.scaled(self.data.sample(s)))
            for s in ("train", "validation", "test")
        }

        def recipe() -> Trained:
            began = time.perf_counter()
            torch.manual_seed(1)
            pair = Pair([self.case.side**2, *self.case.widths], self.case.code, model_type)
            optimizer = torch.optim.AdamW(pair.parameters(), weight_decay=0.0, fused=True)
            x, loss_of = rows["train"], LOSSES[model_type]
            rate = schedule(self.case)
            for _ in range(self.case.epochs):
                order, total = torch.randperm(len(x)), torch.zeros(())
                for start in range(0, len(x), self.case.batch):
                    batch = x[order[start : start + self.case.batch]]
                    loss = loss_of(pair, batch)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.param_groups[0]["lr"] = next(rate)
                    optimizer.step()
                    total += loss.detach() * len(batch)
                with torch.no_grad():
                    (pair(rows["validation"]) - rows["validation"]).square().sum(-1).mean().item()
            seconds = time.perf_counter() - began
            with torch.no_grad():
                return Trained(
                    seconds, (pair(rows["test"]) - rows["test"]).square().sum(-1).mean().item()
                )

        return recipe

    def usual(self) -> Trained:
        """TensorDataset, DataLoader, a LightningModule that logs in every step."""
        import pytorch_lightning as pl
        import torch
        from pytorch_lightning.loggers import CSVLogger
        from torch.utils.data import DataLoader, TensorDataset

        from loops import LOSSES, Pair

        bench = self

        class Usual(pl.LightningModule):
            def __init__(self, pair: Any) -> None:
                super().__init__()
                self.pair = pair

            def training_step(self, batch: Any, index: int) -> Any:
                loss = LOSSES["undercomplete"](self.pair, batch[0])
                self.log("train_loss", loss)
                return loss

            def validation_step(self, batch: Any, index: int) -> None:
                self.log("val_loss", LOSSES["undercomplete"](self.pair, batch[0]))

            def configure_optimizers(self) -> Any:
                optimizer = torch.optim.AdamW(self.parameters(), lr=1.0, weight_decay=0.0)
                rates = list(schedule(bench.case))
                falling = torch.optim.lr_scheduler.LambdaLR(
                    optimizer, lambda step: rates[min(step, len(rates) - 1)]
                )
                return [optimizer], [{"scheduler": falling, "interval": "step"}]

        rows = {
            s: torch.from_numpy(self.data.scaled(self.data.sample(s)))
            for s in ("train", "validation", "test")
        }
        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
        began = time.perf_counter()
        torch.manual_seed(1)
        module = Usual(
            Pair([self.case.side**2, *self.case.widths], self.case.code, "undercomplete")
        )
        trainer = pl.Trainer(
            max_epochs=self.case.epochs,
            default_root_dir=self.folder,
            logger=CSVLogger(self.folder),
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(
            module,
            DataLoader(TensorDataset(rows["train"]), batch_size=self.case.batch, shuffle=True),
            DataLoader(TensorDataset(rows["validation"]), batch_size=self.case.batch),
        )
        seconds = time.perf_counter() - began
        with torch.no_grad():
            return Trained(
                seconds, (module.pair(rows["test"]) - rows["test"]).square().sum(-1).mean().item()
            )


def schedule(case: Case) -> Iterator[float]:
    """The learning rate of each step: a warm-up over a twentieth of them, then a cosine to 0."""
    steps = case.epochs * math.ceil(case.rows / case.batch)
    rising = 0.05 * steps
    for step in range(steps):
        falling = 0.5 * (1 + math.cos(math.pi * (step - rising) / (steps - rising)))
        yield PEAK * ((step + 1) / (rising + 1) if step < rising else falling)


def images(n: int, side: int) -> np.ndarray:
    """Grey images (n, side, side), uint8, of a few smooth shapes.

    These move from image to image, so that there is something to learn.
    """
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:side, 0:side] / side
    brightness = np.zeros((n, side, side))
    for _ in range(3):
        centre, width = rng.random((2, n, 1, 1)), 0.05 + 0.15 * rng.random((n, 1, 1))
        brightness += np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * width**2))
    return np.asarray(255 * brightness.clip(0, 1), np.uint8)


def interleaved(recipes: dict[str, Recipe], rounds: int, name: str) -> dict[str, list[Trained]]:
    """Every recipe once a round, in turn, after a first round that does not count."""
    trainings: dict[str, list[Trained]] = {recipe: [] for recipe in recipes}
    for _ in tqdm(range(rounds + 1), desc=name, unit="round"):
        for recipe, trained in recipes.items():
            trainings[recipe].append(trained())
    return {recipe: results[1:] for recipe, results in trainings.items()}


def compared(name: str, ours: list[Trained], other: list[Trained]) -> dict[str, Any]:
    """The median ratio of times over rounds; above 1 means that ours is faster."""
    ratios = [theirs.seconds / mine.seconds for mine, theirs in zip(ours, other, strict=True)]
    errors = {
        "error": statistics.median(t.error for t in ours),
        "other_error": statistics.median(t.error for t in other),
    }
    median, unit = statistics.median(ratios), "times as fast"
    return {
        "name": name,
        "ratio": median,
        "low": min(ratios),
        "high": max(ratios),
        "unit": unit,
        **errors,
    }


def _print(results: list[dict[str, Any]]) -> None:
    table = Table(
        "",
        "ratio",
        "low",
        "high",
        "test error",
        "the other's",
        title="above 1: this project is faster",
    )
    for result in results:
        numbers = [
            f"{result[name]:.2f}" for name in ("ratio", "low", "high", "error", "other_error")
        ]
        table.add_row(result["name"], *numbers)
    Console(width=120).print(table)
    print(f"written to {Path('benchmarks/results.json')}", file=sys.stderr)


if __name__ == "__main__":
    main()
