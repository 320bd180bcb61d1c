"""The same category is found however a source writes it."""

from collections import Counter

import pyarrow as pa
import pytest

from autoencoders.data.prepared.categories import category_places, merged


@pytest.mark.parametrize(
    ("categories", "texts", "places"),
    [
        (["1", "2"], ["1", "2.0", "2.00", "3", "1.5", "01"], [0, 1, 1, 2, 2, 2]),
        (["1.0", "2.0"], ["1", "2.0"], [0, 1]),
        (["False", "True"], ["true", "FALSE", "1"], [1, 0, 2]),
        (["no", "yes"], ["true", "Yes", "no"], [1, 1, 0]),
        (["1", "1.0"], ["1", "1.0", "1.00"], [0, 1, 0]),
        (["red", "Red"], ["red", "Red", "RED"], [0, 1, 2]),
    ],
)
def test_a_text_has_the_place_of_the_category_that_means_the_same(categories, texts, places):
    assert category_places(pa.array(texts), categories).tolist() == places


def test_counts_are_merged_where_texts_mean_the_same():
    assert merged(Counter({"1": 2, "1.0": 3, "2": 1})) == {"1.0": 5, "2": 1}
    assert merged(Counter({"True": 1, "true": 1})) == {"True": 2}
    assert merged(Counter({"red": 1, "Red": 1, "01": 1, "1": 1})) == {
        **{"red": 1, "Red": 1},
        **{"01": 1, "1": 1},
    }
    assert merged(Counter()) == {}
