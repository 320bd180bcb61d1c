"""Features by themselves: counts between nodes, limits, and what they must not depend on."""

import numpy as np
import pytest
import torch
from scipy import stats

from autoencoders.models.trained.marginals import INTERVALS, REACH, UNSEEN, Marginals, student_t


def fitted(x: torch.Tensor, middle: float = 0.0, variance: float = 1.0) -> Marginals:
    """The distribution of x (rows, features), about a middle with a variance."""
    marginals = Marginals(x.shape[1])
    marginals.middle.fill_(middle)
    marginals.variance.fill_(variance)
    marginals.place_nodes(x.amin(0), x.amax(0))
    marginals.add(x)
    return marginals


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None]


def normal(n: int, features: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, features, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("degrees_of_freedom", [1, 4, 30])
def test_the_distances_surprise_is_the_log_density_below_the_largest(degrees_of_freedom):
    deviations = np.linspace(-6, 6, 25)
    density = stats.t(df=degrees_of_freedom, scale=2.0).logpdf
    squared = torch.from_numpy(deviations**2)[:, None]
    found = student_t(squared, torch.tensor([4.0], dtype=torch.float64), degrees_of_freedom)
    np.testing.assert_allclose(found[:, 0], density(0.0) - density(deviations))


def test_of_two_values_the_rarer_one_is_so_by_the_logarithm_of_their_ratio():
    x = torch.cat([torch.zeros(90, 1), torch.ones(10, 1)])
    expected = np.log((90 + UNSEEN) / (10 + UNSEEN))
    np.testing.assert_allclose(fitted(x).rarity(column(0.0, 1.0))[:, 0], [0.0, expected], rtol=1e-5)


def test_all_rows_are_counted_whatever_the_batches():
    x = normal(1000, 3)
    whole = fitted(x)
    torch.testing.assert_close(whole.count.sum(0), torch.full((3,), 1000.0))
    parts = Marginals(3)
    parts.load_state_dict(whole.state_dict())
    parts.count.zero_()
    for batch in x.split(7):
        parts.add(batch)
    torch.testing.assert_close(parts.count, whole.count)


def test_a_value_between_two_nodes_is_as_rare_as_the_line_between_their_counts_says():
    x = torch.linspace(-1, 1, 201).square()[:, None]
    marginals = fitted(x)
    nodes = marginals.lowest + marginals.step * torch.arange(INTERVALS + 1)[:, None]
    counts = marginals.count[:, 0].double().numpy()
    values = np.linspace(float(nodes[0]), float(nodes[-1]), 57)
    expected = np.log((counts.max() + UNSEEN) / (np.interp(values, nodes[:, 0], counts) + UNSEEN))
    found = marginals.rarity(torch.from_numpy(values).float()[:, None])
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-3)


def test_rounding_of_a_value_hardly_moves_its_rarity():
    """Between bins it would jump: whole numbers lie where these meet."""
    x = torch.arange(11.0).repeat(20)[:, None]
    marginals = fitted(x, middle=5.0, variance=10.0)
    near = torch.nextafter(x, torch.tensor(torch.inf))
    torch.testing.assert_close(marginals.rarity(near), marginals.rarity(x), rtol=0, atol=1e-4)


def test_the_rarest_value_is_as_rare_as_one_that_no_row_had():
    x = torch.cat([torch.zeros(98, 1), torch.ones(2, 1)])
    inside = fitted(x).rarity(column(0.5))
    torch.testing.assert_close(inside, torch.full((1, 1), float(np.log((98 + 1) / UNSEEN))))


def test_a_gross_value_does_not_stretch_the_nodes():
    x = torch.cat([normal(500, 1), torch.full((1, 1), 1e6)])
    marginals = fitted(x)
    assert float(marginals.lowest + INTERVALS * marginals.step) == pytest.approx(REACH)


def test_nodes_lie_within_the_range_of_the_rows():
    x = torch.rand(100, 1, generator=torch.Generator().manual_seed(0))
    marginals = fitted(x)
    torch.testing.assert_close(marginals.lowest, x.amin(0))
    torch.testing.assert_close(marginals.lowest + INTERVALS * marginals.step, x.amax(0))


def test_a_constant_feature_surprises_only_by_another_value():
    x = torch.full((50, 1), 3.0)
    marginals = fitted(x, middle=3.0, variance=1e-6)
    same, other = marginals(column(3.0, 4.0), 4)[:, 0].tolist()
    assert same == 0
    assert other > np.log(50)


def test_the_larger_one_of_distance_and_rarity_counts():
    x = normal(2000, 1)
    marginals = fitted(x)
    values = torch.linspace(-8, 8, 200)[:, None]
    both = [student_t(values.square(), marginals.variance, 4), marginals.rarity(values)]
    found = marginals(values, 4)
    torch.testing.assert_close(found, torch.stack(both).amax(0))
    assert all((found == part).any() for part in both)
    assert (found >= 0).all()


@pytest.mark.parametrize(("shift", "scale"), [(100.0, 1.0), (0.0, 8.0)])
def test_surprises_do_not_depend_on_the_unit_of_a_feature(shift, scale):
    x, values = normal(500, 1), normal(50, 1, seed=1) * 3
    moved = fitted(x * scale + shift, middle=shift, variance=scale**2)
    torch.testing.assert_close(
        moved(values * scale + shift, 4), fitted(x)(values, 4), rtol=1e-3, atol=1e-3
    )
