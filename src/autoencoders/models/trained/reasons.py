"""The reasons for a score: the columns with the largest parts of it, and their shares."""

from collections.abc import Sequence

import numpy as np

from autoencoders.data.prepared.schema import Schema
from autoencoders.models.trained.scores import Scores

REASONS = 3  # parts of a score that are named
SMALLEST_SHARE = 0.005  # of a part that is named: it is written as 1 %
# the part of a score that is no column's, in models that were registered before ADR 15
DIVERGENCE = "the code's divergence"
NOVEL = "a value that no training row had"  # in some column that was constant


def reasons(schema: Schema, scores: Scores, novel: np.ndarray) -> list[str]:
    """The largest parts of each score, such as "press 71%; temp 22%"; a score of 0 has none.

    A part is a column's, a constant column's where its value is one that no training row had, or,
    of an earlier model, the divergence of the code from its prior. novel: (rows, constant columns),
    logical.
    """
    return _reasons(schema, scores, [column.name for column in schema.constants], novel)


def reasons_of_prepared(schema: Schema, scores: Scores, n_novel: np.ndarray) -> list[str]:
    """`reasons` of prepared rows, of whose novel values the number alone is known: (rows,)."""
    return _reasons(schema, scores, [NOVEL], n_novel[:, None])


def _reasons(
    schema: Schema, scores: Scores, novel_names: Sequence[str], novel: np.ndarray
) -> list[str]:
    """The reasons. novel: (rows, names), the numbers of values that no training row had."""
    names, columns = schema.by_column(scores.contributions)
    constants = novel * scores.novel_part
    rest = scores.score - columns.sum(1) - constants.sum(1)
    parts = np.column_stack([columns, constants, rest])
    names = [*names, *novel_names, DIVERGENCE]
    smallest = np.finfo(np.float32).tiny  # no division by a score of 0
    shares = parts / np.maximum(scores.score[:, None], smallest)
    largest = np.argsort(-shares, axis=1, kind="stable")[:, :REASONS]
    texts = []
    for row, share in zip(largest, shares, strict=True):
        named = [f"{names[j]} {share[j]:.0%}" for j in row if share[j] >= SMALLEST_SHARE]
        texts.append("; ".join(named))
    return texts
