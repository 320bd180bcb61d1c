"""The gain of tuning: changes by pairs of seeds, their interval, and sentences."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from autoencoders.params.params import Params
from autoencoders.params.plan import Plan
from autoencoders.params.space import CODE_SIZE
from autoencoders.tuning.decision import Decision
from autoencoders.tuning.finals import Final
from autoencoders.tuning.gain import LEVEL, ErrorChange, Gain, gain, sentences
from study_parts import FACTS, Formula, diverges, result_of, values_of, with_space

UNTUNED = Final(None, {}, result_of(8, 0.8))
TUNED = Final(3, values_of(5), result_of(5, 0.9))  # with relu
NOISE = {1: 0.0, 2: 0.01, 3: -0.02, 4: 0.03}  # of a training by its seed


def seeded(plan: Plan, seed: int) -> float:
    """Shares that depend on the seed: relu loses less."""
    is_tuned = plan.network.activation == "relu"
    return 0.8 + 0.1 * is_tuned + NOISE[seed] * (2 if is_tuned else 1)


@pytest.fixture
def gained(params: Params) -> Callable[..., tuple[Gain | None, Formula]]:
    """The gain of trials over the untuned values, by a formula."""

    def run(
        seeds: int, *tried: Final, kept: Callable[[Plan, int], float] = seeded
    ) -> tuple[Gain | None, Formula]:
        spaced = with_space(params, gain_seeds=seeds)
        formula = Formula(spaced.plan("sparse", FACTS), kept)
        decision = Decision(tried[-1], list(tried), 5, 6)
        return gain(decision, spaced.tune, formula.trainings), formula

    return run


@pytest.mark.parametrize("seeds", [2, 3, 4])
def test_the_change_is_the_mean_of_pairs_with_the_interval_of_students_t(gained, seeds):
    result, formula = gained(seeds, UNTUNED, TUNED)
    plan = formula.plan
    tuned = plan.with_values({**TUNED.values, CODE_SIZE: 8})
    before = np.array([100 * (1 - seeded(plan, seed)) for seed in range(1, seeds + 1)])
    after = np.array([100 * (1 - seeded(tuned, seed)) for seed in range(1, seeds + 1)])
    changes = after / before - 1
    assert result.error.code_size == 8
    assert result.error.untuned == pytest.approx(before.mean())
    assert result.error.tuned == pytest.approx(after.mean())
    assert result.error.change == pytest.approx(changes.mean())
    interval = stats.t.interval(LEVEL, seeds - 1, loc=changes.mean(), scale=stats.sem(changes))
    assert result.error.interval == pytest.approx(interval)
    assert result.error.purpose == {"elbo": pytest.approx(10 * (before - after).mean())}
    assert (result.smallest_tuned, result.smallest_untuned) == (5, 6)


def test_both_sides_have_the_code_size_of_the_untuned_values_and_the_same_seeds(gained):
    _, formula = gained(3, UNTUNED, TUNED)
    tuned = {**TUNED.values, CODE_SIZE: 8}
    wanted = [(values, seed) for seed in (1, 2, 3) for values in ({CODE_SIZE: 8}, tuned)]
    assert formula.trained == wanted
    assert formula.checkpoints == []


def test_one_seed_has_no_interval(gained):
    result, _ = gained(1, UNTUNED, TUNED)
    assert result.error.interval is None


def test_the_best_trial_is_compared_also_where_the_untuned_values_are_taken(gained):
    smaller = Final(3, {**TUNED.values, CODE_SIZE: 4}, result_of(4, 0.7))
    result, formula = gained(1, UNTUNED, TUNED, smaller, UNTUNED)
    assert result is not None
    assert formula.trained[-1][0] == {**TUNED.values, CODE_SIZE: 8}


def test_no_gain_is_measured_without_seeds_or_without_a_trial_to_compare(gained):
    for seeds, tried in ((0, [UNTUNED, TUNED]), (2, [UNTUNED])):
        result, formula = gained(seeds, *tried)
        assert result is None
        assert formula.trained == []


def test_a_training_that_diverges_leaves_the_gain_unknown_and_says_so(gained, capsys):
    result, _ = gained(1, UNTUNED, TUNED, kept=diverges)
    assert result is None
    assert capsys.readouterr().out == (
        "the gain of tuning is not known: the loss is nan in epoch 1\n"
    )


# sentences

CHANGE = ErrorChange(8, 2.0, 1.5, -0.25, None, {})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (CHANGE, "by -25.0 %: 2.0000 untuned, 1.5000 tuned"),
        (
            CHANGE._replace(interval=(-0.3, 0.1)),
            "by -25.0 % (-30.0 to +10.0 %, 2 seeds): 2.0000 untuned, 1.5000 tuned",
        ),
        (
            CHANGE._replace(purpose={"elbo": 1.234}),
            "by -25.0 %: 2.0000 untuned, 1.5000 tuned; ELBO, nats: +1.23",
        ),
    ],
)
def test_the_change_of_the_error_is_said_with_its_interval_and_the_types_purpose(
    params, change, sentence
):
    tune = with_space(params, "smallest_error", gain_seeds=2).tune
    result = Gain(change, None, None)
    assert sentences(result, tune) == [f"tuning changes the error at code size 8 {sentence}"]


@pytest.mark.parametrize(
    ("tuned", "untuned", "sentence"),
    [
        (5, 7, "tuned values need code size 5, untuned ones 7"),
        (5, None, "tuned values need code size 5; untuned ones need more"),
        (None, 7, "untuned values need code size 7; tuned ones need more"),
        (None, None, "no code of the space is large enough, with tuned values or without"),
    ],
)
def test_the_smallest_codes_are_said_for_smallest_code(params, tuned, untuned, sentence):
    _, second = sentences(Gain(CHANGE, tuned, untuned), with_space(params).tune)
    assert second == f"for 90 % of the variance {sentence}"


def test_a_gain_is_written_as_plain_values():
    written = Gain(CHANGE, 5, None).written()
    assert written["error"] == CHANGE._asdict()
    assert (written["smallest_tuned"], written["smallest_untuned"]) == (5, None)
