"""The columns of an inspected table in a few lines, however many columns there are."""

from collections.abc import Sequence
from dataclasses import dataclass

from autoencoders.data.preparation.inspection import InspectedColumn

MOST_LINES = 200  # columns, or problems, up to which each has a line of its own
ALIKE = 5  # columns of one type and treatment that have a line of their own in a wider table


@dataclass
class Group:
    """Columns of one type and one treatment."""

    type: str
    treatment: str  # without the reason
    listed: list[InspectedColumn]
    n_others: int = 0  # that are not listed


def groups(columns: Sequence[InspectedColumn]) -> list[Group]:
    """The columns in groups, by type and treatment; one of all columns where these are few."""
    if len(columns) <= MOST_LINES:
        return [Group("", "", list(columns))]
    found: dict[tuple[str, str], Group] = {}
    for column in columns:
        treatment = column.treatment.partition(":")[0]
        group = found.setdefault((column.type, treatment), Group(column.type, treatment, []))
        if len(group.listed) < ALIKE:
            group.listed.append(column)
        else:
            group.n_others += 1
    return list(found.values())
