"""The places of a column's texts among its categories, however a source writes them.

A code may be 1 in one file and 1.0 in another, and a logical value True, TRUE or true.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autoencoders.data.prepared.spelling import ColumnValues

WHOLE = r"^(-?\d+)\.0+$"
LOGICAL = {"true": "true", "false": "false", "yes": "true", "no": "false"}


def category_places(texts: ColumnValues, categories: Sequence[str]) -> np.ndarray:
    """Each text's place among the categories (rows,); behind the last one for any other text.

    A text that is no category as it stands counts as the one that means the same.
    """
    n = len(categories)
    places = pc.index_in(texts, pa.array(categories, pa.string()))
    if places.null_count:
        meanings = _meanings(pa.array(categories, pa.string()))
        places = pc.coalesce(places, pc.index_in(_meanings(texts), meanings))
    return places.fill_null(n).to_numpy(zero_copy_only=False)


def merged(counts: Counter[str]) -> Counter[str]:
    """The counts of texts, each under the commonest text that means the same."""
    texts = sorted(counts)
    meanings = list(map(str, _meanings(pa.array(texts, pa.string())).to_pylist()))
    if len(set(meanings)) == len(texts):
        return counts
    commonest: dict[str, str] = {}
    for text, meaning in zip(texts, meanings, strict=True):
        if counts[text] > counts.get(commonest.get(meaning, ""), 0):
            commonest[meaning] = text
    result: Counter[str] = Counter()
    for text, meaning in zip(texts, meanings, strict=True):
        result[commonest[meaning]] += counts[text]
    return result


def _meanings(texts: ColumnValues) -> ColumnValues:
    """The texts, with one text for all that mean the same."""
    whole = pc.replace_substring_regex(texts, WHOLE, r"\1")
    small = pc.utf8_lower(texts)
    logical = pc.index_in(small, pa.array(list(LOGICAL), pa.string()))
    words = pa.array(list(LOGICAL.values()), pa.string())
    return pc.coalesce(pc.take(words, logical), whole)
