"""The estimate of a run: what each stage will do, how many trainings, and about how long.

Arithmetic alone: the seconds of a training's start and of its epochs come from `probe`.
"""

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from autoencoders.params.params import Params
from autoencoders.params.plan import Plan
from autoencoders.params.sections import FixedTune

# Processor seconds on the machine on which they were measured, where `probe.reference_work` took
# REFERENCE_SECONDS. Of a stage, its imports above all (`make bench-cold`), with the process that
# sends its runs: what `time python pipeline/STAGE.py` shows for digits, MNIST and a table of taxi
# rides with few trials and epochs, without the seconds of these and of the lines below.
REFERENCE_SECONDS = 0.0105
STAGE_SECONDS = {
    "check": 0.3,
    "download": 0.3,
    "preprocess": 0.6,
    "tune": 6.5,
    "train": 5.4,
    "evaluate": 3.0,
    "register": 2.5,
}
NO_STUDY_SECONDS = 0.3  # of a `tune` stage without trials
TRIAL_SECONDS = 0.1  # of a trial beside its training: its error and its run
DRAW_SECONDS = 0.3  # of a trial's values, drawn by a Gaussian process; other samplers take none
# trainings in full by which a study decides, about; of smallest_error its best trial's, and the
# untuned values'
FULL_TRAININGS = {"smallest_code": 5, "smallest_error": 2}
# the share of the trials' epochs that a study of smallest_code trains, about: it stops trials that
# are far from the asked share, and takes the result of trials with the same values
TRAINED_SHARE = 0.65
TYPE_SECONDS = {"evaluate": 0.5, "register": 0.4}  # of these stages for each type
PREPARED_VALUES = {"image": 3e7, "table": 5e6}  # a second, that `preprocess` reads and writes
# of validation and test rows, a second, that `evaluate` judges by each model: SSIM is for images
JUDGED_VALUES = {"image": 1.7e6, "table": 1e7}
BASELINES = 2  # that are judged like models: PCA and the mean
DECODED_WEIGHTS = 2e10  # weights times rows a second, of draws behind the likelihood
DVC_SECONDS = 2.0  # of a `dvc` command before its first stage and after its last
DVC_STAGE_SECONDS = 0.5  # of DVC for each stage: hashes, cache and lock
REPRO_SECONDS = 4.0  # of `make repro` around its `dvc` commands: `ae doctor` and `ae leaderboard`

UNITS = ((3600, "h"), (60, "min"), (1, "s"))


class Pace(NamedTuple):
    """The seconds of one type's trainings on this machine."""

    start: float  # before the first epoch
    epoch: float  # of each epoch, its validation included
    end: float  # after the last epoch of a training that is no trial: what scores need


class Stage(NamedTuple):
    """One of DVC's stages."""

    name: str
    does: str
    trainings: int
    seconds: float
    ends_early: bool = False  # whether a training may stop before, by patience or a pruner


@dataclass(frozen=True)
class Trainings:
    """The trainings of one type: its study's trials and trainings in full, then its own one."""

    plan: Plan
    trial: Plan
    tune: FixedTune
    last_epochs: int = 0  # that the last training by the same plan took; 0: there was none

    @classmethod
    def of(cls, params: Params, plan: Plan, trial: Plan, last_epochs: int = 0) -> "Trainings":
        """The trainings that the parameters ask for. trial: the plan of a trial."""
        return cls(plan, trial, params.study(plan.facts), last_epochs)

    @property
    def takes_over(self) -> bool:
        """Whether the study leaves the training that `train` would make, on one device."""
        return self.tune.n_trials > 0 and self.plan.train.devices * self.plan.train.num_nodes == 1

    def study(self, pace: Pace, slowness: float) -> Stage:
        """The `tune` stage. slowness: this machine's time for the reference work, as a ratio."""
        name = f"tune@{self.plan.model_type}"
        n_trials = self.tune.n_trials
        if not n_trials:
            return Stage(name, "no study", 0, NO_STUDY_SECONDS * slowness)
        n_full = FULL_TRAININGS[self.tune.objective]
        does = f"{counted(n_trials, 'trial')} of {_epochs(self.trial)}"
        if self.tune.workers > 1:
            does += f", by {self.tune.workers} workers"
        does += f"; about {n_full} trainings in full"
        rounds = math.ceil(n_trials / self.tune.workers)
        seconds = STAGE_SECONDS["tune"] * slowness + rounds * self._trial_seconds(pace, slowness)
        seconds += n_full * (pace.start + self.plan.train.epochs * pace.epoch)
        ends_early = self._prunes or may_stop(self.trial) or may_stop(self.plan)
        return Stage(name, does, n_trials + n_full, seconds, ends_early)

    @property
    def _prunes(self) -> bool:
        """Whether a trial may be stopped before its last epoch."""
        return self.tune.pruner != "none"

    def _trial_seconds(self, pace: Pace, slowness: float) -> float:
        """The mean seconds of a trial."""
        training = pace.start + self.trial.train.epochs * pace.epoch
        if self.tune.objective == "smallest_code" and self._prunes:
            training *= TRAINED_SHARE
        beside = TRIAL_SECONDS
        if self.tune.objective == "smallest_code" and self.tune.sampler in ("auto", "gp"):
            beside += DRAW_SECONDS
        return training + beside * slowness

    def train(self, pace: Pace, slowness: float) -> Stage:
        """The `train` stage."""
        name = f"train@{self.plan.model_type}"
        seconds = STAGE_SECONDS["train"] * slowness + pace.start + pace.end
        if self.takes_over:
            return Stage(name, "takes over its study's training", 0, seconds)
        epochs = self.last_epochs or self.plan.train.epochs
        does = f"{_epochs(self.plan)} of {counted(steps_an_epoch(self.plan), 'step')}"
        ends_early = may_stop(self.plan) and not self.last_epochs
        if self.last_epochs and self.last_epochs < self.plan.train.epochs:
            does += f"; the last one took {self.last_epochs}"
        return Stage(name, does, 1, seconds + epochs * pace.epoch, ends_early)


def may_stop(plan: Plan) -> bool:
    """Whether patience may end a training before its last epoch."""
    return 0 < plan.train.patience < plan.train.epochs


def steps_an_epoch(plan: Plan) -> int:
    """The batches of an epoch, the last of which may be smaller."""
    return math.ceil(plan.facts.rows / plan.train.batch_size)


def _epochs(plan: Plan) -> str:
    """The epochs of a training in words."""
    most = "at most " if may_stop(plan) else ""
    return f"{most}{counted(plan.train.epochs, 'epoch')}"


def stages(
    params: Params,
    trainings: Sequence[Trainings],
    paces: Mapping[str, Pace],
    rows: Mapping[str, int],
    slowness: float,
) -> list[Stage]:
    """All stages in the order in which DVC runs them.

    trainings: of each type; paces: by type; rows: of the data by split; slowness: this machine's
    time for the reference work, as a ratio.
    """
    facts = trainings[0].plan.facts
    n_rows = sum(rows.values())
    values = n_rows * facts.n_features
    preprocess = STAGE_SECONDS["preprocess"] + values / PREPARED_VALUES[facts.kind]
    size = f"{n_rows:,} rows of {counted(facts.n_features, 'feature')}"
    result = [
        Stage("check", "params.yaml", 0, STAGE_SECONDS["check"] * slowness),
        Stage("download", params.data.title, 0, STAGE_SECONDS["download"] * slowness),
        Stage("preprocess", size, 0, preprocess * slowness),
    ]
    for one in trainings:
        pace = paces[one.plan.model_type]
        result += [one.study(pace, slowness), one.train(pace, slowness)]
    n_types = counted(len(trainings), "type")
    judged = f"{n_types} on {counted(rows['test'], 'test row')}"
    evaluate = _evaluate_seconds(params, trainings, rows) * slowness
    register = STAGE_SECONDS["register"] + len(trainings) * TYPE_SECONDS["register"]
    result.append(Stage("evaluate", judged, 0, evaluate))
    result.append(Stage("register", n_types, 0, register * slowness))
    return result


def _evaluate_seconds(
    params: Params, trainings: Sequence[Trainings], rows: Mapping[str, int]
) -> float:
    """The seconds of `evaluate` on the machine of the constants. rows: by split."""
    facts = trainings[0].plan.facts
    n_types = len(trainings)
    values = (rows["validation"] + rows["test"]) * facts.n_features
    judged = (n_types + BASELINES) * values / JUDGED_VALUES[facts.kind]
    seconds = STAGE_SECONDS["evaluate"] + n_types * TYPE_SECONDS["evaluate"] + judged
    for one in trainings:
        if one.plan.model_type == "variational":
            draws = rows["test"] * params.evaluate.importance_samples
            seconds += draws * _decoder_weights(one.plan) / DECODED_WEIGHTS
    return seconds


def _decoder_weights(plan: Plan) -> int:
    """The weights of a dense decoder, without the affine path beside it."""
    architecture = plan.architecture
    nodes = [architecture.code_size, *reversed(architecture.widths), architecture.n_features]
    return sum(first * second for first, second in zip(nodes, nodes[1:], strict=False))


def in_turn(times: Mapping[str, float], slowness: float) -> float:
    """The seconds of a `dvc repro`, one stage after the other. times: of the stages, by name."""
    overhead = DVC_SECONDS + len(times) * DVC_STAGE_SECONDS
    return sum(times.values()) + overhead * slowness


def side_by_side(times: Mapping[str, float], jobs: int, slowness: float) -> float:
    """The seconds of a `make repro`, which tunes and trains types side by side.

    Each job takes the next type when it is free, as xargs does.
    """
    chains: dict[str, float] = {}
    alone = 0.0
    for name, seconds in times.items():
        _, _, model_type = name.partition("@")
        if model_type:
            before = chains.get(model_type, DVC_SECONDS * slowness)
            chains[model_type] = before + seconds + DVC_STAGE_SECONDS * slowness
        else:
            alone += seconds + DVC_STAGE_SECONDS * slowness
    free_at = [0.0] * jobs
    for seconds in chains.values():
        heapq.heappush(free_at, heapq.heappop(free_at) + seconds)
    return alone + max(free_at) + (REPRO_SECONDS + 2 * DVC_SECONDS) * slowness


def counted(n: int, noun: str) -> str:
    """A number of things, in words."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def duration(seconds: float) -> str:
    """Seconds in at most two units: 7 s, 1 min 5 s, 2 h 10 min."""
    left = round(seconds)
    if seconds < 1:
        return "under 1 s"
    parts: list[str] = []
    for size, unit in UNITS:
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2])
