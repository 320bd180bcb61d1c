"""Tuning on digits at code size 8: TPE and random search, pruned or not, winners and defaults.

`make bench-search`, a quarter of an hour on two cores: for the undercomplete type, studies of 60
trials with goal `reconstruct`, on five study seeds; winners are chosen on validation, trained as
`dvc repro` would train them on three training seeds, and judged on test.
"""

import json
import os
import statistics
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from common import MODEL_TYPE, ROOT, Unlogged, digits

TRIALS = 60
EPOCHS = 60  # of a trial
STUDY_SEEDS = (1, 2, 3, 4, 5)
TRAINING_SEEDS = (1, 2, 3)
SEARCHES = {
    "tpe": ("tpe", "median"),
    "random": ("random", "median"),
    "tpe, not pruned": ("tpe", "none"),
}


def main() -> None:
    """Runs the studies, retrains their winners and prints the comparisons."""
    jobs = [(name, seed) for name in SEARCHES for seed in STUDY_SEEDS]
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        untuned = pool.submit(_trained, {})
        studies = dict(zip(jobs, pool.map(_study, jobs), strict=True))
        errors = dict(
            zip(
                jobs,
                pool.map(_trained, [study["values"] for study in studies.values()]),
                strict=True,
            )
        )
    defaults = statistics.mean(untuned.result())
    print(
        f"defaults: test squared error {defaults:.4f} "
        f"(training seeds {[round(e, 4) for e in untuned.result()]})"
    )
    for (name, seed), study in studies.items():
        error = statistics.mean(errors[name, seed])
        print(
            f"{name:16} study seed {seed}: best validation error {study['error']:.4f}, "
            f"{study['epochs']} epochs; retrained: test {error:.4f}, "
            f"{error / defaults - 1:+.1%}: {json.dumps(study['values'])}"
        )
    for other, quantity in (
        ("random", "error"),
        ("tpe, not pruned", "error"),
        ("tpe, not pruned", "epochs"),
    ):
        pairs = [
            (studies["tpe", seed][quantity], studies[other, seed][quantity]) for seed in STUDY_SEEDS
        ]
        _print_difference(f"tpe against {other}: {quantity} of the study", pairs)
    pairs = [
        (statistics.mean(errors["tpe", seed]), statistics.mean(errors["random", seed]))
        for seed in STUDY_SEEDS
    ]
    _print_difference("tpe against random: test error of the retrained winner", pairs)


def _print_difference(title: str, pairs: list[tuple[float, float]]) -> None:
    """Prints the mean relative difference with its 95 % interval.

    It is paired, by Student's t with as many pairs as study seeds.
    """
    differences = np.array([a / b - 1 for a, b in pairs])
    half = 2.776 * differences.std(ddof=1) / np.sqrt(len(differences))  # t for 4 degrees of freedom
    print(
        f"{title}: {differences.mean():+.1%} "
        f"({differences.mean() - half:+.1%} to {differences.mean() + half:+.1%})"
    )


def _params(search: str = "tpe", seed: int = 1) -> Any:
    from autoencoders.params.params import load_params

    params = load_params(ROOT / "params.yaml")
    sampler, pruner = SEARCHES[search]
    space = [
        d.model_dump(exclude_unset=True)
        for d in params.tune.space
        if d.param != "network.code_size"
    ]
    tune = {
        "goal": "reconstruct",
        "n_trials": TRIALS,
        "epochs": EPOCHS,
        "sampler": sampler,
        "pruner": pruner,
        "seed": seed,
    }
    return params.override(
        {"data.name": "digits", "network.code_size": 8, "tune.space": space, **_dotted(tune)}
    )


def _dotted(tune: dict[str, Any]) -> dict[str, Any]:
    return {f"tune.{name}": value for name, value in tune.items()}


def _study(job: tuple[str, int]) -> dict[str, Any]:
    """A study's best values, their validation error, and the epochs that it took."""
    warnings.filterwarnings("ignore")
    from autoencoders.tuning.objective import Objective
    from autoencoders.tuning.storage import open_storage
    from autoencoders.tuning.study import open_study, trial_plan
    from autoencoders.tuning.trials import RESULT, best_trial, finished
    from autoencoders.tuning.worker import work

    params = _params(*job)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["DVC_ROOT"] = scratch
        os.chdir(ROOT)
        data = digits(params, Path(scratch))
        plan = params.plan(MODEL_TYPE, data.description.facts)
        study = open_study(open_storage("journal"), plan, params.tune, data.description)
        unlogged: Any = Unlogged()  # in the place of a recorder, and of the run above the trials
        objective = Objective(
            trial_plan(plan, params.tune), params.tune, data, unlogged, unlogged, lambda: None
        )
        work(study, objective, TRIALS, lambda: None)
        trials = finished(study, TRIALS)
    best = best_trial(trials, params.tune)
    epochs = sum(
        t.user_attrs[RESULT]["epochs"] if RESULT in t.user_attrs else len(t.intermediate_values)
        for t in trials
    )
    return {
        "values": best.params,
        "error": best.user_attrs[RESULT]["squared_error"],
        "epochs": epochs,
    }


def _trained(values: dict[str, Any]) -> list[float]:
    """Test squared errors of ordinary trainings with a study's values, by training seed."""
    warnings.filterwarnings("ignore")
    from autoencoders.models.trained.fidelity import squared_error
    from autoencoders.training.fit import fit

    params = _params().with_tuned(MODEL_TYPE, values)
    with tempfile.TemporaryDirectory() as scratch:
        data = digits(params, Path(scratch))
        raw, errors = data.sample("test"), []
        for seed in TRAINING_SEEDS:
            model = fit(
                params.model_copy(update={"seed": seed}).plan(MODEL_TYPE, data.description.facts),
                data,
            ).model
            errors.append(
                float(squared_error(raw / data.scale, model.reconstruct(raw) / data.scale).mean())
            )
    return errors


if __name__ == "__main__":
    main()
