"""Users' texts in a terminal: no markup, and no control characters."""

import pytest

from autoencoders.commands.terminal import plain_console, printable

NAMES = ["[/b]", "[bold]x[/bold]", ":key:", "[red", r"\[x]"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_no_markup(name, capsys):
    from rich.table import Table

    table = Table(name, title=name, box=None)
    table.add_row(name)
    plain_console().print(table)
    assert capsys.readouterr().out.split() == [name] * 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [("Zürich", "Zürich"), ("6.2\x1a", "6.2\\x1a"), ("\x1b[31m", "\\x1b[31m"), ("a\nb", "a\\nb")],
)
def test_control_characters_are_shown_as_escapes(text, shown):
    assert printable(text) == shown
