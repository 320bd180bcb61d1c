"""A terminal that shows the users' texts as they are."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def plain_console() -> "Console":
    """A console to which no text is markup: a column may be called `[/b]`, or `:key:`."""
    from rich.console import Console

    return Console(markup=False, emoji=False)


def printable(text: str) -> str:
    """The text; with control characters, its escapes, which change no terminal."""
    if text.isprintable():
        return text
    return repr(text)[1:-1]
