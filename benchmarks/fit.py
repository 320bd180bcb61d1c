"""Speed of `fit` beside a hand-written loop and the usual Lightning recipe, interleaved.

`make bench`, some minutes. All train the same networks on the same rows with the same batches,
epochs and learning rates, on one core, and look at the validation rows once an epoch: cases.py
has the networks, recipes.py the ways to train them. With --peers (`make bench-peers`) other
libraries train too, each in a process of .venv-peers: fit_peers.py. Beside each speed stands the
squared error on test rows.

Each case is trained with `train.precision: auto`, in fp32 and in bf16: where `auto` chooses the
slower one, the benchmark fails. It prints the row that this processor would have in
`autoencoders.training.processors`.
"""

import argparse
import os
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from autoencoders.training.processors import Processor, this_processor
from cases import CASES, PreparedCase, prepared_case
from choice import Choice, about_row, choice, row
from common import ROOT, record
from recipes import PEERS, autograd, loop, ours, peer, usual
from timing import Recipe, Trained, compared, interleaved

ROUNDS = 7
TYPES = ("sparse", "contractive", "denoising", "variational")
WIDE = "middle"  # the case whose network is wide enough for bf16
Trainings = Mapping[str, Sequence[Trained]]  # one a round, by recipe
NUMBERS = {
    "ratio": "ratio",
    "low": "low",
    "high": "high",
    "cpu_ratio": "CPU seconds",
    "error": "test error",
    "other_error": "the other's",
}


def main() -> None:
    """Measures each case, records the results and prints them; fails where auto chose wrongly."""
    arguments = _arguments()
    _use_one_core()
    os.chdir(ROOT)
    warnings.filterwarnings("ignore")
    import torch

    torch.set_num_threads(1)
    results: list[dict[str, Any]] = []
    choices: list[Choice] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in [arguments.only] if arguments.only else CASES:
            case = prepared_case(name, Path(scratch, name))
            beside = beside_peers if arguments.peers else beside_loops
            trainings = beside(case, arguments.rounds)
            choices.append(choice(name, trainings, this_processor()))
            entries = compared_with_others(name, trainings) + compared_precisions(name, trainings)
            if not arguments.peers:
                entries += further(case, arguments.rounds)
            record(entries)
            results += entries
    print_results(results, this_processor())
    print_choices(choices, this_processor())
    if not all(each.is_right for each in choices):
        sys.exit(1)


def _use_one_core() -> None:
    """Keeps this process and its children on one core, where the system can (Linux).

    Keras on JAX has no setting of its own that keeps it to one thread.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _arguments() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", action="store_true", help="beside other libraries")
    parser.add_argument("--only", choices=CASES, help="one of the cases")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="interleaved rounds (default: %(default)s)"
    )
    return parser.parse_args()


def our_precisions(case: PreparedCase) -> dict[str, Recipe]:
    """Our training as `auto` chooses, and in either precision."""
    return {precision: ours(case, precision) for precision in ("auto", "fp32", "bf16")}


def beside_loops(case: PreparedCase, rounds: int) -> Trainings:
    """Our training, the same with autograd's step, a loop by hand and the usual recipe.

    A network that starts as PCA has no loop: nobody writes that by hand.
    """
    recipes = our_precisions(case)
    recipes["autograd"] = autograd(case)
    if not case.case.linear_path:
        recipes["loop"] = loop(case)
        recipes["usual"] = usual(case)
    return interleaved(recipes, rounds, case.name)


def beside_peers(case: PreparedCase, rounds: int) -> Trainings:
    """Our training and the libraries of .venv-peers, none of which has a linear path."""
    recipes = our_precisions(case)
    with ExitStack() as processes:
        if not case.case.linear_path:
            for library in PEERS:
                recipes[library] = processes.enter_context(peer(case, library))
        return interleaved(recipes, rounds, case.name)


def compared_with_others(name: str, trainings: Trainings) -> list[dict[str, Any]]:
    """Our speed in fp32, and as auto chooses, beside that of each other recipe."""
    others = [recipe for recipe in trainings if recipe not in ("auto", "fp32", "bf16")]
    entries = []
    for other in others:
        beside = f"fit_vs_{other}_{name}"
        entries.append(compared(f"{beside}_fp32", trainings["fp32"], trainings[other]))
        if other != "autograd":  # which is fp32's
            entries.append(compared(beside, trainings["auto"], trainings[other]))
    return entries


def compared_precisions(name: str, trainings: Trainings) -> list[dict[str, Any]]:
    """The speed of auto beside fp32's and bf16's, and bf16's beside fp32's."""
    pairs = (("auto", "fp32"), ("auto", "bf16"), ("bf16", "fp32"))
    return [
        compared(f"fit_{one}_vs_{other}_{name}", trainings[one], trainings[other])
        for one, other in pairs
    ]


def further(case: PreparedCase, rounds: int) -> list[dict[str, Any]]:
    """Each other type beside a loop of its own, and contractive norms beside plain steps."""
    if case.case.linear_path:
        return []
    entries = []
    for model_type in TYPES:
        pair = {"fp32": ours(case, "fp32", model_type), "loop": loop(case, model_type)}
        trainings = interleaved(pair, rounds, f"{case.name} {model_type}")
        name = f"fit_vs_loop_{case.name}_{model_type}_fp32"
        entries.append(compared(name, trainings["fp32"], trainings["loop"]))
    if case.name == WIDE:
        entries += contractive(case.with_epochs(1), rounds)
    return entries


def contractive(case: PreparedCase, rounds: int) -> list[dict[str, Any]]:
    """Trainings with the penalty beside trainings without.

    The exact norm is compared with one backward pass a code unit.
    """
    one_layer = {
        "network.n_layers": 0,
        "network.nodes_per_layer": 1,
        "network.code_activation": "sigmoid",
        "network.code_size": 128,
    }

    def penalised(jacobian: str, values: Mapping[str, Any]) -> Recipe:
        named = {**values, "models.contractive.jacobian": jacobian}
        return ours(case, "fp32", "contractive", named)

    recipes = {
        "plain, one layer": ours(case, "fp32", values=one_layer),
        "closed form": penalised("closed_form", one_layer),
        "plain, deep": ours(case, "fp32"),
        "estimate": penalised("estimate", {}),
        "exact": penalised("exact", {}),
        "unit by unit": loop(case, "contractive_exact"),
    }
    trainings = interleaved(recipes, rounds, "contractive")
    pairs = {
        "contractive_closed_form_vs_plain": ("closed form", "plain, one layer"),
        "contractive_estimate_vs_plain": ("estimate", "plain, deep"),
        "contractive_exact_vs_autograd": ("exact", "unit by unit"),
    }
    return [compared(name, trainings[a], trainings[b]) for name, (a, b) in pairs.items()]


def print_results(results: Sequence[Mapping[str, Any]], processor: Processor) -> None:
    """Prints the ratios, and whose they are."""
    title = f"{processor.name}: {processor.kind.name}\nabove 1: the first is faster"
    table = Table("", title=title, title_justify="left")
    for column in NUMBERS.values():
        table.add_column(column, justify="right")
    for result in results:
        numbers = [f"{result[name]:.3g}" for name in NUMBERS]
        table.add_row(result["name"], *numbers)
    Console(width=120).print(table)
    print("written to benchmarks/results.json", file=sys.stderr)


def print_choices(choices: Sequence[Choice], processor: Processor) -> None:
    """Prints each case's choice, and the row that this processor would have in the table."""
    for each in choices:
        print(each)
    for each in choices:
        if each.case == WIDE:
            print(about_row(row(each, processor), processor))


if __name__ == "__main__":
    main()
