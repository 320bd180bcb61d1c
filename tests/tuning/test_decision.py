"""The decision: trainings in full say what is taken, and the smallest code that keeps the share."""

import itertools
import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState

from autoencoders.core.errors import DivergedError, UserError
from autoencoders.params.params import Params
from autoencoders.params.plan import Plan
from autoencoders.params.space import CODE_SIZE
from autoencoders.tuning.decision import FINE, HOPELESS, Bracket, Decision, decide
from studies import (
    ACTIVATION,
    FACTS,
    SHARE,
    Formula,
    complete_trial,
    diverges,
    ended_trial,
    loses,
    numbered,
    result_of,
    with_space,
)

SETTINGS = settings(deadline=None, derandomize=True, database=None, max_examples=300)
sizes_of_a_space = st.one_of(
    st.tuples(st.integers(1, 50), st.integers(0, 2000)).map(
        lambda ends: list(range(ends[0], sum(ends) + 1))
    ),
    st.sets(st.integers(1, 3000), min_size=1, max_size=40).map(sorted),
)


# the bracket


@SETTINGS
@given(
    sizes_of_a_space,
    st.integers(1, 3100),  # the first code size that is tried
    st.integers(0, 3100),  # from which on a code keeps the share
    st.randoms(use_true_random=False),
)
def test_a_bracket_finds_the_smallest_allowed_size_to_a_twentieth_in_few_steps(
    sizes, first, threshold, random
):
    bracket = Bracket(sizes)
    size = first
    tried = []
    while True:
        tried.append(size)
        bracket.add(size, keeps=size >= threshold)
        if bracket.is_closed:
            break
        size = bracket.next(random.choice([0, threshold, size / 2, 2 * size, math.inf]))
        assert size in sizes
        assert size not in tried
    keeping = [size for size in sizes if size >= threshold]
    if bracket.smallest is None:
        assert not keeping
    else:
        assert bracket.smallest in keeping
        assert bracket.smallest - keeping[0] < max(1, bracket.smallest / FINE)
    # steps that double from one end, then halves of what is left
    assert len(tried) <= 2 + 2 * math.ceil(math.log2(max(sizes[-1], first) + 1))


@SETTINGS
@given(sizes_of_a_space, st.data())
def test_a_good_expectation_closes_a_bracket_at_once(sizes, data):
    threshold = data.draw(st.sampled_from(sizes))
    bracket = Bracket(sizes)
    bracket.add(threshold, keeps=True)
    for _ in range(2):
        if not bracket.is_closed:
            bracket.add(bracket.next(threshold - 1), keeps=False)
    assert bracket.is_closed
    assert bracket.smallest == threshold


# the decision


@pytest.fixture
def decided(params: Params) -> Callable[..., tuple[Decision, Formula]]:
    """Decides between the untuned values, with code size 8, and trials, by a formula."""

    def run(
        kept: Callable[[Plan, int], float],
        *trials: FrozenTrial,
        objective: str = "smallest_code",
        untuned: bool = True,
    ) -> tuple[Decision, Formula]:
        spaced = with_space(params, objective)
        formula = Formula(spaced.plan("sparse", FACTS), kept)
        first = formula.result({}, keeps=True) if untuned else None
        tune = spaced.tune
        return decide(numbered(trials), tune, tune, first, formula.trainings), formula

    return run


@pytest.mark.parametrize("share", [0.25, 0.55, 1.0, 1.55, 3.0])
def test_the_smallest_code_is_found_with_the_best_trials_values(decided, share):
    best = complete_trial(7, 1.0, 0.95)  # with relu, which loses half as much
    decision, _ = decided(loses(share, relu=0.5), complete_trial(10, 1.0, 0.95), best)
    needed = next(size for size in range(2, 33) if 0.5 * share / size <= 1 - SHARE + 1e-12)
    assert decision.smallest_tuned == needed
    assert decision.taken.result.code_size == needed
    assert decision.taken.values == {**best.params, CODE_SIZE: needed}
    assert decision.taken.number == 1
    wanted = [size for size in range(2, needed + 1) if share / size <= 1 - SHARE]
    assert decision.smallest_untuned == (wanted[0] if wanted else None)


def test_the_untuned_values_are_taken_where_theirs_is_the_smaller_code(decided):
    decision, _ = decided(loses(0.55, relu=3.0), complete_trial(7, 1.0, 0.95))
    assert decision.taken.number is None
    assert decision.taken.values == {CODE_SIZE: 6}
    assert (decision.smallest_tuned, decision.smallest_untuned) == (17, 6)


def test_of_equal_codes_the_smaller_error_is_taken(decided):
    slightly_better = loses(0.55, relu=0.95)  # both need 6
    decision, _ = decided(slightly_better, complete_trial(7, 1.0, 0.95))
    assert decision.smallest_tuned == decision.smallest_untuned == 6
    assert decision.taken.number == 0
    decision, _ = decided(loses(0.55, relu=1.05), complete_trial(7, 1.0, 0.95))
    assert decision.smallest_tuned == decision.smallest_untuned == 6
    assert decision.taken.number is None


def test_where_no_code_of_the_space_keeps_the_share_the_least_error_is_taken(decided):
    decision, formula = decided(loses(50.0, relu=0.9), complete_trial(7, 1.0, 0.95))
    assert (decision.smallest_tuned, decision.smallest_untuned) == (None, None)
    assert decision.taken.result.squared_error == min(
        final.result.squared_error for final in decision.tried
    )
    assert decision.taken.values[CODE_SIZE] == 32
    assert len(formula.checkpoints) == 1


def test_where_the_best_trial_has_the_untuned_values_no_other_trial_is_trained(decided):
    untuned = complete_trial(8, 1.0, 0.99, values={CODE_SIZE: 8})
    worse = complete_trial(12, 1.0, 0.99)
    decision, _ = decided(loses(0.55), untuned, worse)
    assert {final.number for final in decision.tried} == {None}
    assert decision.taken.values == {CODE_SIZE: 6}
    assert (decision.smallest_tuned, decision.smallest_untuned) == (None, 6)


def test_a_trial_that_differs_in_its_code_alone_is_no_second_search(decided):
    trial = complete_trial(12, 1.0, 0.99, values={CODE_SIZE: 12})
    decision, formula = decided(loses(0.55), trial)
    assert decision.smallest_tuned == decision.smallest_untuned == 6
    codes = [values.get(CODE_SIZE, 8) for values, _ in formula.trained]
    assert len(codes) == len(set(codes))


def test_no_values_are_trained_twice_in_full(decided):
    _, formula = decided(loses(1.55, relu=0.5), complete_trial(7, 1.0, 0.95))
    for (values, _), (others, _) in itertools.combinations(formula.trained, 2):
        assert not formula.are_same(values, others)


def test_values_that_diverge_in_full_give_way_to_the_next_best_trials(decided):
    def kept(plan: Plan, seed: int) -> float:
        if plan.train.learning_rate == 0.005:
            return diverges(plan, seed)
        return loses(0.55)(plan, seed)

    trials = [complete_trial(5, 1.0, 0.95), complete_trial(7, 1.0, 0.95)]
    decision, _ = decided(kept, *trials)
    assert {final.number for final in decision.tried} == {None, 1}


@pytest.mark.parametrize("objective", ["smallest_code", "smallest_error"])
def test_without_the_untuned_values_trials_decide_and_where_all_diverge_that_is_said(
    decided, objective
):
    trial = complete_trial(7, 1.0, 0.95, objective)
    decision, _ = decided(loses(0.55), trial, objective=objective, untuned=False)
    assert decision.taken.number == 0
    with pytest.raises(DivergedError, match=HOPELESS):
        decided(diverges, trial, objective=objective, untuned=False)


def test_without_a_complete_trial_nothing_is_decided(decided):
    with pytest.raises(UserError, match="none of 1 trials is complete"):
        decided(loses(0.55), ended_trial(TrialState.FAIL, reason="it diverged"))


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


@pytest.mark.parametrize("relu", [0.5, 1.0, 3.0])
def test_the_checkpoint_of_the_taken_training_alone_is_left(decided, relu):
    decision, formula = decided(loses(1.55, relu=relu), complete_trial(7, 1.0, 0.95))
    assert len(decision.tried) > 2
    assert formula.checkpoints == [formula.plan.with_values(decision.taken.values).flat()]


def test_a_space_without_code_sizes_compares_the_trainings_at_the_code_of_the_file(params):
    spaced = with_space(params)
    lines = [{"param": ACTIVATION, "choices": ["silu", "relu"]}]
    spaced = spaced.override({"tune.space": lines})
    formula = Formula(spaced.plan("sparse", FACTS), loses(0.55, relu=0.9))
    trial = complete_trial(7, 1.0, 0.95, values={ACTIVATION: "relu"})
    decision = decide(
        numbered([trial]), spaced.tune, spaced.tune, formula.result({}), formula.trainings
    )
    assert [final.result.code_size for final in decision.tried] == [8, 8]
    assert decision.taken.number == 0


def test_what_is_asked_is_printed_with_each_training(decided, capsys):
    decided(loses(0.55), complete_trial(7, 1.0, 0.95))
    lines = capsys.readouterr().out.splitlines()
    kept = 1 - 0.55 / 7
    assert lines[0] == (
        f"values of trial 0 in full: code size 7 keeps {100 * kept:.1f} % (asked 90 %), "
        f"squared error {result_of(7, kept).squared_error:.4f}"
    )
    assert any(line.startswith("untuned values in full: code size ") for line in lines)
