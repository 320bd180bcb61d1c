"""The parameters that mend what is refused, as an option of `dvc exp run` or lines of YAML."""

import io
import re
import shlex
from collections.abc import Mapping

from ruamel.yaml import YAML

# a name that DVC takes as a key in -S, by Hydra's grammar
PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def as_option(types: Mapping[str, str]) -> str:
    """The value of `-S` that sets data.types; nothing where a name can't be passed."""
    if not all(PLAIN_NAME.fullmatch(name) for name in types):
        return ""
    listed = ", ".join(f"{name}: {column_type}" for name, column_type in types.items())
    return shlex.quote(f"++data.types={{{listed}}}")


def as_yaml(types: Mapping[str, str]) -> str:
    """The lines of params.yaml that set data.types."""
    stream = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump({"data": {"types": dict(types)}}, stream)
    return stream.getvalue()
