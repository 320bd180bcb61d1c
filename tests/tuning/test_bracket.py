"""The bracket: it closes around the smallest code size that keeps a share."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from autoencoders.tuning.bracket import FINE, Bracket

SETTINGS = settings(deadline=None, derandomize=True, database=None, max_examples=300)
sizes_of_a_space = st.one_of(
    st.tuples(st.integers(1, 50), st.integers(0, 2000)).map(
        lambda ends: list(range(ends[0], sum(ends) + 1))
    ),
    st.sets(st.integers(1, 3000), min_size=1, max_size=40).map(sorted),
)


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
    if not keeping:
        assert bracket.smallest is None
    else:
        assert bracket.smallest is not None
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
