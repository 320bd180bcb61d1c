"""Finished trials, trainings in full without a training, and the findings of a study."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from autoencoders.core.errors import DivergedError
from autoencoders.params.architecture import DataFacts
from autoencoders.params.params import Params
from autoencoders.params.plan import Plan
from autoencoders.params.space import CODE_SIZE
from autoencoders.tuning.decision import Decision
from autoencoders.tuning.finals import Final
from autoencoders.tuning.findings import Findings
from autoencoders.tuning.first import FirstResults
from autoencoders.tuning.full import FullTrainings, Result
from autoencoders.tuning.gain import Gain
from autoencoders.tuning.trials import RESULT, WORKER

SHARE = 0.9  # the share of the variance that a code has to keep
FACTS = DataFacts(64, unit_interval=True, shape=(8, 8), rows=1000)
ACTIVATION = "network.activation"
RATE = "train.learning_rate"
SPACE: list[dict[str, Any]] = [
    {"param": CODE_SIZE, "low": 2, "high": 32},
    {"param": ACTIVATION, "choices": ["silu", "relu"]},
    {"param": RATE, "low": 1e-3, "high": 1e-1, "log": True},
]
DISTRIBUTIONS: dict[str, BaseDistribution] = {
    CODE_SIZE: IntDistribution(2, 32),
    ACTIVATION: CategoricalDistribution(["silu", "relu"]),
    RATE: FloatDistribution(1e-3, 1e-1, log=True),
}


def with_space(params: Params, objective: str = "smallest_code", **tune: object) -> Params:
    """Parameters whose studies have the space above. tune: further settings."""
    values: dict[str, object] = {
        "tune.space": SPACE if objective == "smallest_code" else SPACE[1:],
        "tune.objective": objective,
        "tune.explained_variance": SHARE,
        "network.code_size": 8,
    }
    return params.override({**values, **{f"tune.{name}": value for name, value in tune.items()}})


def values_of(code_size: int) -> dict[str, Any]:
    """A trial's values, different ones for each code size."""
    activation = ["silu", "relu"][code_size % 2]
    return {CODE_SIZE: code_size, ACTIVATION: activation, RATE: code_size / 1e3}


def complete_trial(
    code_size: int,
    error: float,
    kept: float,
    objective: str = "smallest_code",
    values: Mapping[str, Any] | None = None,
    **attributes: Any,
) -> FrozenTrial:
    """A complete trial; values: of its parameters; attributes: further ones."""
    if values is None:
        values = values_of(code_size)
        if objective == "smallest_error":
            del values[CODE_SIZE]
    result = {
        "squared_error": error,
        "explained_variance": kept,
        "code_size": code_size,
        "epochs": 3,
    }
    return create_trial(
        value=code_size + 1 - kept if objective == "smallest_code" else error,
        params=dict(values),
        distributions={name: DISTRIBUTIONS[name] for name in values},
        user_attrs={RESULT: result, WORKER: ["here", 1, 2.0], **attributes},
    )


def ended_trial(state: TrialState, *, epochs: int = 0, **attributes: Any) -> FrozenTrial:
    """A trial that was pruned or failed."""
    reports = {epoch: 1.0 / epoch for epoch in range(1, epochs + 1)}
    return create_trial(
        state=state,
        params=values_of(9),
        distributions=DISTRIBUTIONS,
        user_attrs=attributes,
        intermediate_values=reports,
    )


def numbered(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials as a study numbers and dates them."""
    study = optuna.create_study()
    study.add_trials(trials)
    return study.trials


def result_of(code_size: int, kept: float, error: float | None = None, **purpose: float) -> Result:
    """The result of a training in full; its error is 100 times the share that it loses."""
    lost = 100 * (1 - kept)
    return Result(code_size, lost if error is None else error, kept, 9, {}, purpose)


class Formula:
    """Trainings in full whose results a formula says, without a training.

    kept: the share that a training keeps, by its plan and seed; raises DivergedError.
    """

    def __init__(self, plan: Plan, kept: Callable[[Plan, int], float]) -> None:
        self.plan = plan
        self.kept = kept
        self.study = optuna.create_study(study_name="s")
        self.trained: list[tuple[Mapping[str, Any], int]] = []  # values and seeds
        self.checkpoints: list[dict[str, object]] = []  # plans whose last checkpoint is left

    @property
    def trainings(self) -> FullTrainings:
        """This, as code takes it."""
        return cast("FullTrainings", self)

    def result(
        self, values: Mapping[str, Any], *, seed: int | None = None, keeps: bool = False
    ) -> Result:
        seed = self.plan.seed if seed is None else seed
        plan = self.plan.with_values(values)
        self.trained.append((dict(values), seed))
        share = self.kept(plan, seed)
        if keeps and plan.flat() not in self.checkpoints:
            self.checkpoints.append(plan.flat())
        return result_of(plan.network.code_size, share, elbo=1000 * share)

    def trial_result(self, plan: Plan) -> Result:
        return result_of(plan.network.code_size, self.kept(plan, plan.seed))

    def are_same(self, values: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
        return self.plan.with_values(values).flat() == self.plan.with_values(others).flat()

    def forget_checkpoint(self, values: Mapping[str, Any]) -> None:
        flat = self.plan.with_values(values).flat()
        if flat in self.checkpoints:
            self.checkpoints.remove(flat)


def loses(share: float, *, relu: float = 1.0) -> Callable[[Plan, int], float]:
    """A formula: the code of size n loses `share` / n; relu: the factor of that activation."""

    def kept(plan: Plan, seed: int) -> float:
        factor = relu if plan.network.activation == "relu" else 1.0
        return 1 - factor * share / plan.network.code_size

    return kept


def diverges(plan: Plan, seed: int) -> float:
    """A formula of trainings that diverge."""
    raise DivergedError("the loss is nan in epoch 1")


def findings_of(
    params: Params,
    trials: Sequence[FrozenTrial],
    taken: Final,
    *others: Final,
    trial_kept: float | None = None,
    gain: Gain | None = None,
) -> Findings:
    """The findings of a study of the sparse type.

    others: further trainings in full, of which the untuned one comes first. trial_kept: the share
    that the trial of the untuned values keeps.
    """
    plan = params.plan("sparse", FACTS)
    untuned = [final for final in (*others, taken) if final.number is None]
    first = FirstResults(None, None, None, None)
    if untuned:
        first = first._replace(untuned=untuned[0].result, near=untuned[0])
    if trial_kept is not None:
        first = first._replace(trial=result_of(plan.network.code_size, trial_kept))
    return Findings(
        "digits-sparse-12345678",
        plan,
        params.study(FACTS),
        trials,
        first,
        Decision(taken, [*others, taken], None, None),
        gain,
    )


# trainings in full that a decision compares: of the untuned values, and of those that are taken
UNTUNED = Final(None, {}, result_of(8, 0.88))
TAKEN = Final(1, {**values_of(5), CODE_SIZE: 6}, result_of(6, 0.92))
