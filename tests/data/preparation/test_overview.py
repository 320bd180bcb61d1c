"""The overview of a table's columns: all of a narrow one, some of each sort of a wide one."""

from autoencoders.data.preparation.inspection import InspectedColumn
from autoencoders.data.preparation.overview import ALIKE, MOST_LINES, groups


def column(name: str, column_type: str, treatment: str) -> InspectedColumn:
    """A column of which the rest does not matter."""
    return InspectedColumn(name, column_type, "", 0, [], treatment)


def test_up_to_a_number_of_columns_all_are_listed_in_their_order():
    columns = [
        column(f"c{i}", "number", ("a feature", "left out")[i % 2]) for i in range(MOST_LINES)
    ]
    (group,) = groups(columns)
    assert group.listed == columns
    assert group.n_others == 0


def test_of_more_columns_some_of_each_type_and_treatment_are_listed_and_the_others_counted():
    columns = [column(f"c{i}", "number", "a feature, scaling: standard") for i in range(MOST_LINES)]
    columns.insert(50, column("day", "date", "left out: dates"))
    columns += [column(f"m{i}", "number", f"refused: missing values in {i} rows") for i in range(9)]
    found = groups(columns)
    assert [(group.type, group.treatment) for group in found] == [
        ("number", "a feature, scaling"),
        ("date", "left out"),
        ("number", "refused"),
    ]
    assert [group.n_others for group in found] == [MOST_LINES - ALIKE, 0, 9 - ALIKE]
    assert [each.name for each in found[0].listed] == [f"c{i}" for i in range(ALIKE)]
    assert sum(len(group.listed) + group.n_others for group in found) == len(columns)
