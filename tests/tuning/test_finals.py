"""Trainings in full that take part in a decision: the smallest code, the best one, and words."""

from collections.abc import Callable

import pytest

from autoencoders.params.params import Params
from autoencoders.params.plan import Plan
from autoencoders.params.space import CODE_SIZE
from autoencoders.tuning.finals import Finals, described, percent, title
from study_parts import (
    ACTIVATION,
    FACTS,
    SHARE,
    SPACE,
    Formula,
    diverges,
    loses,
    result_of,
    with_space,
)

LARGEST = SPACE[0]["high"]


def finals_of(params: Params, kept: Callable[[Plan, int], float]) -> tuple[Finals, Formula]:
    """Trainings in full by a formula, with the untuned code size 8."""
    formula = Formula(params.plan("sparse", FACTS), kept)
    return Finals(params.study(FACTS), formula.trainings), formula


def needed(share: float) -> int:
    """The smallest code of the space that keeps enough, where size n loses `share` / n."""
    return next(size for size in range(2, 33) if share / size <= 1 - SHARE + 1e-12)


def untuned_smallest(finals: Finals, most: int | None = None) -> int | None:
    """The smallest code of the untuned values."""
    first = finals.train(None, {})
    assert first is not None
    return finals.smallest(first, most)


@pytest.mark.parametrize("share", [0.05, 0.25, 0.55, 0.8, 1.55, 3.15])
def test_the_smallest_code_of_the_space_that_keeps_the_share_is_found(params, share):
    finals, formula = finals_of(with_space(params), loses(share))
    assert untuned_smallest(finals) == needed(share)
    codes = [final.result.code_size for final in finals.tried]
    assert len(codes) == len(set(codes)) == len(formula.trained)
    assert all(final.number is None for final in finals.tried)


def test_no_code_is_the_smallest_where_the_largest_one_misses_the_share(params):
    finals, _ = finals_of(with_space(params), loses(50.0))
    assert untuned_smallest(finals) is None
    assert max(final.result.code_size for final in finals.tried) == LARGEST


@pytest.mark.parametrize(("most", "smallest"), [(5, None), (6, 6), (7, 6)])
def test_larger_codes_than_the_most_are_not_trained(params, most, smallest):
    finals, _ = finals_of(with_space(params), loses(0.55))  # which needs 6
    first = finals.train(0, {CODE_SIZE: most})
    assert first is not None
    assert finals.smallest(first, most) == smallest
    assert max(final.result.code_size for final in finals.tried) == most


def test_each_training_of_a_search_has_the_values_and_the_number_of_its_first(params):
    finals, _ = finals_of(with_space(params), loses(0.55))
    first = finals.train(3, {CODE_SIZE: 12, ACTIVATION: "relu"})
    assert first is not None
    finals.smallest(first)
    assert len(finals.tried) > 1
    for final in finals.tried:
        expected = {CODE_SIZE: final.result.code_size, ACTIVATION: "relu"}
        assert (final.number, final.values) == (3, expected)


def test_of_a_space_without_code_sizes_the_untuned_one_is_the_only_candidate(params):
    spaced = with_space(params).override({"tune.space": SPACE[1:]})
    for share, smallest in ((0.55, 8), (1.0, None)):
        finals, formula = finals_of(spaced, loses(share))
        assert untuned_smallest(finals) == smallest
        assert len(formula.trained) == 1


def test_a_code_that_diverges_ends_a_search_with_the_smallest_known_to_keep_the_share(params):
    def kept(plan: Plan, seed: int) -> float:
        if plan.network.code_size < 8:
            return diverges(plan, seed)
        return loses(0.25)(plan, seed)

    finals, _ = finals_of(with_space(params), kept)
    assert untuned_smallest(finals) == 8
    assert [final.result.code_size for final in finals.tried] == [8]


def test_the_best_is_the_smallest_code_that_keeps_the_share_then_the_smaller_error(params):
    finals, _ = finals_of(with_space(params), loses(0.55, relu=0.95))
    for number, values in enumerate(({CODE_SIZE: 5}, {CODE_SIZE: 7}, {CODE_SIZE: 6})):
        finals.train(number, values)
    assert finals.best().number == 2
    finals.train(3, {CODE_SIZE: 6, ACTIVATION: "relu"})
    assert finals.best().number == 3
    finals.train(4, {CODE_SIZE: 6, ACTIVATION: "relu"})  # an equal one comes later
    assert finals.best().number == 3


def test_a_training_is_printed_with_what_is_asked_and_kept_for_train(params, capsys):
    finals, formula = finals_of(with_space(params), loses(0.55))
    assert finals.train(2, {CODE_SIZE: 7}) == finals.tried[0]
    kept = 1 - 0.55 / 7
    assert capsys.readouterr().out == (
        f"sparse: values of trial 2 in full: code size 7 keeps {percent(kept)} (asked 90 %), "
        f"squared error {result_of(7, kept).squared_error:.4f}\n"
    )
    assert formula.checkpoints == [formula.plan.with_values({CODE_SIZE: 7}).flat()]


def test_a_training_that_diverges_is_printed_and_takes_no_part(params, capsys):
    finals, _ = finals_of(with_space(params), diverges)
    assert finals.train(None, {}) is None
    assert finals.tried == []
    assert capsys.readouterr().out == "sparse: untuned values in full: the loss is nan in epoch 1\n"


def test_values_have_the_title_of_their_trial_and_shares_stand_in_percent():
    assert title(None) == "untuned values"
    assert title(0) == "values of trial 0"
    assert percent(0.8614) == "86.1 %"


def test_a_result_is_described_with_the_share_only_where_that_is_asked(params):
    result = result_of(6, 0.92, 1.25)
    by_error = with_space(params, "smallest_error").tune
    assert described(result, by_error) == "code size 6 keeps 92.0 %, squared error 1.2500"
    by_code = with_space(params).tune
    words = "code size 6 keeps 92.0 % (asked 90 %), squared error 1.2500"
    assert described(result, by_code) == words
