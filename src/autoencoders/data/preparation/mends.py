"""The parameters that mend what is refused, as options of `dvc exp run` or lines of params.yaml."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from autoencoders.params.reading import yaml_text

# a column's name that Hydra's grammar, by which DVC reads -S, takes without quotes
PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def option(value: str) -> str:
    """An option of `dvc exp run` that sets a parameter, quoted for a shell."""
    return f"-S {shlex.quote(value)}"


@dataclass(frozen=True)
class Mends:
    """Parameters by which a table is taken that would be refused."""

    types: Mapping[str, str] = field(default_factory=dict)  # data.types, by column
    ignore: list[str] = field(default_factory=list)  # data.ignore
    impute: bool = False  # data.missing

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.types or self.ignore or self.impute)

    def values(self) -> dict[str, object]:
        """The parameters' values, by their names below data."""
        values: dict[str, object] = {}
        if self.types:
            values["types"] = dict(self.types)
        if self.ignore:
            values["ignore"] = self.ignore
        if self.impute:
            values["missing"] = "impute"
        return values

    @property
    def can_be_options(self) -> bool:
        """Whether every name can be passed by -S."""
        return all(PLAIN_NAME.fullmatch(name) for name in (*self.types, *self.ignore))

    def options(self) -> list[str]:
        """The options of `dvc exp run`, quoted for a shell."""
        values = []
        if self.types:
            listed = ", ".join(f"{name}: {kind}" for name, kind in self.types.items())
            values.append(f"++data.types={{{listed}}}")
        if self.ignore:
            values.append(f"++data.ignore=[{','.join(self.ignore)}]")
        if self.impute:
            values.append("++data.missing=impute")
        return [option(value) for value in values]

    def yaml(self) -> str:
        """The lines of params.yaml, below data."""
        return yaml_text({"data": self.values()}, flow=False)
