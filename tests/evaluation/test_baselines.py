"""The baselines that are no linear codes."""

import numpy as np

from autoencoders.evaluation.baselines import isolation_scores


def test_an_isolation_forest_scores_what_lies_far_away_highest_and_repeats():
    x = np.random.default_rng(0).normal(size=(200, 12))
    far = np.concatenate([x[:50], x[:3] + 40 * x.std(0)])
    scores = isolation_scores(x, far, seed=1)
    assert set(np.argsort(scores)[-3:]) == {50, 51, 52}
    np.testing.assert_array_equal(isolation_scores(x, far, seed=1), scores)
