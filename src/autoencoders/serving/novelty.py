"""Values that no training row had, in columns that had one value in all training rows."""

import numpy as np

from autoencoders.data.prepared.schema import Schema


class NovelValues:
    """The rows with such values, by column, of a source that is answered batch by batch."""

    def __init__(self, schema: Schema) -> None:
        """schema: of the model that answers."""
        self.columns = schema.constants
        self.n = 0  # rows so far
        self.counts = np.zeros(len(self.columns), int)
        self.first_rows = np.zeros(len(self.columns), int)  # counted from 1; 0: there is none

    def add(self, novel: np.ndarray) -> None:
        """Adds the next rows. novel: (rows, constant columns), logical."""
        for i in np.flatnonzero(novel.any(0)):
            if not self.counts[i]:
                self.first_rows[i] = self.n + int(novel[:, i].argmax()) + 1
            self.counts[i] += int(novel[:, i].sum())
        self.n += len(novel)

    def notes(self) -> list[str]:
        """A line for each column that has such values."""
        lines = []
        for column, count, first_row in zip(
            self.columns, self.counts, self.first_rows, strict=True
        ):
            if not count:
                continue
            others = f" and {count - 1} others" if count > 1 else ""
            lines.append(
                f"column {column.name}: every training row had {column.constant}; another value, "
                f"which counts as unusual, in row {first_row}{others}"
            )
        return lines
