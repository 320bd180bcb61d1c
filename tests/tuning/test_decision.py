"""The decision: trials choose the candidate, trainings in full say what is taken."""

import itertools
from collections.abc import Callable

import pytest
from optuna.trial import FrozenTrial, TrialState

from autoencoders.core.errors import DivergedError, UserError
from autoencoders.params.params import Params
from autoencoders.params.plan import Plan
from autoencoders.params.space import CODE_SIZE
from autoencoders.tuning.decision import Decision, decide
from autoencoders.tuning.finals import Finals
from autoencoders.tuning.first import first_results
from study_parts import (
    ACTIVATION,
    FACTS,
    RATE,
    SHARE,
    SPACE,
    Formula,
    complete_trial,
    diverges,
    ended_trial,
    loses,
    numbered,
    with_space,
)

Kept = Callable[[Plan, int], float]


def decision_of(params: Params, kept: Kept, *trials: FrozenTrial) -> tuple[Decision, Formula]:
    """Decides between the untuned values, with code size 8, and trials, by a formula."""
    formula = Formula(params.plan("sparse", FACTS), kept)
    finals = Finals(params.study(FACTS), formula.trainings)
    first = first_results(params.tune, finals)
    return decide(numbered(trials), params.tune, first, finals), formula


@pytest.fixture
def decided(params: Params) -> Callable[..., tuple[Decision, Formula]]:
    """Decides in the space of code sizes, activations and learning rates."""

    def run(
        kept: Kept, *trials: FrozenTrial, objective: str = "smallest_code"
    ) -> tuple[Decision, Formula]:
        return decision_of(with_space(params, objective), kept, *trials)

    return run


def with_divergence(diverging: Callable[[Plan], bool], formula: Kept) -> Kept:
    """A formula, some of whose trainings diverge."""

    def kept(plan: Plan, seed: int) -> float:
        if diverging(plan):
            return diverges(plan, seed)
        return formula(plan, seed)

    return kept


def needed(share: float) -> int | None:
    """The smallest code of the space that keeps enough, where size n loses `share` / n."""
    keeping = (size for size in range(2, 33) if share / size <= 1 - SHARE + 1e-12)
    return next(keeping, None)


def codes_of(decision: Decision) -> list[int]:
    """The code sizes that were trained in full with a trial's values, in their order."""
    return [final.result.code_size for final in decision.tried if final.number is not None]


# smallest_code


@pytest.mark.parametrize("share", [0.25, 0.55, 1.55, 3.15, 5.0])
def test_the_smallest_code_is_found_with_the_best_trials_values(decided, share):
    best = complete_trial(7, 1.0, 0.95)  # with relu, which loses half as much
    decision, _ = decided(loses(share, relu=0.5), complete_trial(10, 1.0, 0.95), best)
    assert decision.smallest_tuned == needed(share / 2)
    assert decision.smallest_untuned == needed(share)
    assert decision.taken.result.code_size == decision.smallest_tuned
    assert decision.taken.values == {**best.params, CODE_SIZE: decision.smallest_tuned}
    assert decision.taken.number == 1


def test_the_untuned_values_are_taken_where_tuned_ones_need_a_larger_code(decided):
    decision, _ = decided(loses(0.55, relu=3.0), complete_trial(7, 1.0, 0.95))
    assert decision.taken.number is None
    assert decision.taken.values == {CODE_SIZE: 6}
    assert (decision.smallest_tuned, decision.smallest_untuned) == (None, 6)
    assert codes_of(decision) == [6]  # which misses the share, so that no smaller one keeps it


@pytest.mark.parametrize("code_size", [3, 5, 6, 7, 21, 31])
def test_a_candidates_code_is_at_most_the_smallest_one_of_the_untuned_values(decided, code_size):
    trial = complete_trial(code_size, 1.0, 0.95)
    decision, _ = decided(loses(0.55), trial)
    assert decision.smallest_untuned == 6
    assert codes_of(decision)[0] == min(code_size, 6)
    assert max(codes_of(decision)) <= 6
    for final in decision.tried:
        if final.number is not None:
            assert final.values == {**trial.params, CODE_SIZE: final.result.code_size}


def test_where_the_untuned_values_have_no_code_a_candidates_code_is_that_of_its_trial(decided):
    decision, _ = decided(loses(5.0, relu=0.5), complete_trial(27, 1.0, 0.95))
    assert codes_of(decision)[0] == 27
    assert (decision.smallest_tuned, decision.smallest_untuned) == (needed(2.5), None)
    assert decision.taken.result.code_size == needed(2.5)


@pytest.mark.parametrize(("relu", "number"), [(0.95, 0), (1.05, None)])
def test_of_equal_codes_the_smaller_error_is_taken(decided, relu, number):
    decision, _ = decided(loses(0.55, relu=relu), complete_trial(7, 1.0, 0.95))  # both need 6
    assert decision.smallest_tuned == decision.smallest_untuned == 6
    assert decision.taken.result.code_size == 6
    assert decision.taken.number == number


def test_where_no_code_of_the_space_keeps_the_share_the_least_error_is_taken(decided):
    decision, formula = decided(loses(50.0, relu=0.9), complete_trial(7, 1.0, 0.95))
    assert (decision.smallest_tuned, decision.smallest_untuned) == (None, None)
    assert decision.taken.result.squared_error == min(
        final.result.squared_error for final in decision.tried
    )
    assert decision.taken.values[CODE_SIZE] == 32
    assert len(formula.checkpoints) == 1


def test_trials_are_judged_by_the_share_that_is_forecast_for_their_trainings(params):
    spaced = with_space(params, epochs=3)

    def kept(plan: Plan, seed: int) -> float:
        share = loses(0.55)(plan, seed)
        if plan.train.epochs == 3:
            return 1 - 2 * (1 - share)  # a trial loses twice as much as its training
        return share

    trials = [complete_trial(5, 2.0, 0.81), complete_trial(4, 1.0, 0.79)]  # 0.8 is needed
    decision, _ = decision_of(spaced, kept, *trials)
    assert {final.number for final in decision.tried} == {None, 0}


def test_a_space_without_code_sizes_compares_the_trainings_at_the_code_of_the_file(params):
    spaced = with_space(params).override({"tune.space": SPACE[1:2]})
    trial = complete_trial(7, 1.0, 0.95, values={ACTIVATION: "relu"})
    decision, _ = decision_of(spaced, loses(0.55, relu=0.9), trial)
    assert [final.result.code_size for final in decision.tried] == [8, 8]
    assert decision.taken.number == 0
    assert (decision.smallest_tuned, decision.smallest_untuned) == (8, 8)


# trials with the untuned values


@pytest.mark.parametrize("code_size", [5, 6, 8, 12])
def test_a_best_trial_with_the_untuned_values_but_for_its_code_is_no_candidate(decided, code_size):
    best = complete_trial(code_size, 1.0, 0.99, values={CODE_SIZE: code_size})
    worse = complete_trial(13, 1.0, 0.99)
    decision, formula = decided(loses(0.55, relu=0.5), best, worse)
    assert {final.number for final in decision.tried} == {None}
    assert decision.taken.values == {CODE_SIZE: 6}
    assert (decision.smallest_tuned, decision.smallest_untuned) == (None, 6)
    codes = [values.get(CODE_SIZE, 8) for values, _ in formula.trained]
    assert len(codes) == len(set(codes))


def test_of_smallest_error_a_best_trial_with_the_untuned_values_is_no_candidate(decided):
    best = complete_trial(8, 1.0, 0.9, "smallest_error", values={ACTIVATION: "silu"})
    worse = complete_trial(7, 2.0, 0.8, "smallest_error")
    decision, formula = decided(loses(0.55), best, worse, objective="smallest_error")
    assert decision.taken.number is None
    assert len(formula.trained) == 1


# trainings that diverge


@pytest.mark.parametrize("objective", ["smallest_code", "smallest_error"])
def test_values_that_diverge_in_full_give_way_to_the_next_best_trials(decided, objective):
    kept = with_divergence(lambda plan: plan.train.learning_rate == 0.005, loses(0.55))
    trials = [
        complete_trial(5, 1.0, 0.95, objective),
        complete_trial(7, 1.0, 0.95, objective),
        complete_trial(9, 2.0, 0.95, objective),
    ]
    decision, _ = decided(kept, *trials, objective=objective)
    assert {final.number for final in decision.tried} == {None, 1}


@pytest.mark.parametrize("objective", ["smallest_code", "smallest_error"])
def test_where_the_values_of_every_trial_diverge_the_untuned_ones_are_taken(decided, objective):
    kept = with_divergence(lambda plan: plan.network.activation == "relu", loses(0.55))
    trials = [complete_trial(size, 1.0, 0.95, objective) for size in (5, 7)]
    decision, _ = decided(kept, *trials, objective=objective)
    assert {final.number for final in decision.tried} == {None}
    assert decision.smallest_tuned is None
    assert decision.taken.number is None


@pytest.mark.parametrize("objective", ["smallest_code", "smallest_error"])
def test_where_the_untuned_values_diverge_trials_decide(decided, objective):
    kept = with_divergence(lambda plan: plan.network.activation == "silu", loses(0.55))
    decision, _ = decided(kept, complete_trial(7, 1.0, 0.95, objective), objective=objective)
    assert decision.taken.number == 0
    assert decision.smallest_untuned is None
    assert decision.smallest_tuned == (6 if objective == "smallest_code" else None)


@pytest.mark.parametrize("objective", ["smallest_code", "smallest_error"])
def test_where_every_training_in_full_diverges_that_is_said(decided, objective):
    trials = [complete_trial(size, 1.0, 0.95, objective) for size in (5, 7)]
    message = "^the values of every complete trial diverge in a training in full$"
    with pytest.raises(DivergedError, match=message):
        decided(diverges, *trials, objective=objective)


def test_without_a_complete_trial_nothing_is_decided(decided):
    with pytest.raises(UserError, match="none of 1 trials is complete"):
        decided(loses(0.55), ended_trial(TrialState.FAIL, reason="it diverged"))


def test_where_every_trial_was_stopped_the_untuned_values_are_taken(decided):
    stopped = ended_trial(TrialState.PRUNED, epochs=2)
    decision, _ = decided(loses(0.55), stopped)
    assert decision.taken.number is None
    assert decision.smallest_tuned is None


# smallest_error


@pytest.mark.parametrize(("relu", "number"), [(0.5, 1), (2.0, None)])
def test_smallest_error_takes_the_better_one_of_the_best_trials_and_the_untuned_values(
    decided, relu, number
):
    trials = [complete_trial(*trial, "smallest_error") for trial in ((9, 2.0, 0.8), (7, 1.0, 0.7))]
    decision, formula = decided(loses(0.55, relu=relu), *trials, objective="smallest_error")
    assert decision.taken.number == number
    assert [final.number for final in decision.tried] == [None, 1]
    assert (decision.smallest_tuned, decision.smallest_untuned) == (None, None)
    values = {} if number is None else trials[1].params
    assert formula.checkpoints == [formula.plan.with_values(values).flat()]


# trainings and their checkpoints


def test_no_values_are_trained_twice_in_full(decided):
    _, formula = decided(loses(1.55, relu=0.5), complete_trial(7, 1.0, 0.95))
    assert len(formula.trained) > 3
    for (values, _), (others, _) in itertools.combinations(formula.trained, 2):
        assert not formula.are_same(values, others)


@pytest.mark.parametrize("relu", [0.5, 1.0, 3.0])
def test_the_checkpoint_of_the_taken_training_alone_is_left(decided, relu):
    decision, formula = decided(loses(1.55, relu=relu), complete_trial(7, 1.0, 0.95))
    assert len(decision.tried) > 2
    assert formula.checkpoints == [formula.plan.with_values(decision.taken.values).flat()]


def test_each_training_in_full_is_printed_in_its_order(decided, capsys):
    trial = complete_trial(7, 1.0, 0.95, values={CODE_SIZE: 7, RATE: 0.05})
    decision, _ = decided(loses(0.55), trial)
    lines = [line for line in capsys.readouterr().out.splitlines() if " in full: " in line]
    starts = []
    for final in decision.tried:
        values = "untuned values" if final.number is None else "values of trial 0"
        starts.append(f"sparse: {values} in full: code size {final.result.code_size} keeps ")
    assert len(lines) == len(starts)
    for line, start in zip(lines, starts, strict=True):
        assert line.startswith(start)
