"""Imports: one order of modules, one owner for each framework.

Nothing heavy is imported where only values are checked.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import autoencoders

PACKAGE = Path(autoencoders.__file__).parent
ROWS = (  # each imports only from those before it; inside of a folder's row, imports are free
    "core",
    "params",
    "data",
    "models",
    "training",
    "evaluation",
    "tracking",
    "serving",
    "tuning",
    "registry",
    "experiments",
    "doctor",
    "commands",
    "cli",
    "__main__",
)
OWNERS = {
    "pytorch_lightning": {"training"},
    "mlflow": {"registry", "serving", "tracking"},
    "safetensors": {"models"},
    "pydantic": {"data", "params"},
    "pydantic_core": {"params"},
    "sklearn": {"data", "evaluation"},
    "scipy": {"evaluation", "serving", "training", "tuning"},
    "pyarrow": {"data", "serving"},
    "pandas": {"data", "experiments", "serving", "tuning"},
    "PIL": {"data", "serving"},
    "pooch": {"data"},
    "optuna": {"tuning"},
    "optuna_dashboard": {"tuning"},
    "sqlalchemy": {"tracking", "tuning"},
    "requests": {"doctor", "tracking"},
    "fastapi": {"serving"},
    "starlette": {"serving"},
    "psutil": {"core", "doctor", "tracking", "tuning"},
}
LIGHT = (  # modules that import none of the heavy ones
    "cli",
    "core.dvclock",
    "core.faults",
    "core.identity",
    "core.machine",
    "core.paths",
    "core.process",
    "core.reporting",
    "core.stage_times",
    "data.sources.source",
    "doctor.checks",
    "evaluation.report",
    "experiments.estimate",
    "params.params",
    "params.space",
    "params.tuned",
    "training.checkpoint",
    "tuning.journal",
    "tuning.tune",
)
HEAVY = ("torch", "optuna", "mlflow", "matplotlib")


def module_name(path: Path) -> str:
    """The dotted name inside of the package; of the package itself, nothing."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
every_module = pytest.mark.parametrize("module", MODULES)


def imports(module: str) -> Iterator[str]:
    """Dotted names of what a module imports anywhere in its text; `from a import b` gives a.b."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}, line {node.lineno}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def frameworks(module: str) -> set[str]:
    return {name.split(".")[0] for name in imports(module)}


def row(module: str) -> str:
    return module.split(".")[0]


def rows_used(module: str) -> set[str]:
    """Rows of this package that a module imports from.

    A name of the package itself (a version) is no row.
    """
    inside = [name.split(".")[1:] for name in imports(module) if name.split(".")[0] == PACKAGE.name]
    return {parts[0] for parts in inside if parts and parts[0] in {row(name) for name in MODULES}}


def test_every_module_has_its_place_in_the_order():
    assert {row(module) for module in MODULES if module} == set(ROWS)


@every_module
def test_a_module_imports_only_from_rows_above_its_own(module):
    above = set(ROWS[: ROWS.index(row(module))]) if module else set()
    own = {row(module)} if MODULES[module].parent != PACKAGE else set()
    assert rows_used(module) - above - own == set()


def test_the_reader_of_imports_sees_nested_and_renamed_ones():
    assert "mlflow" in frameworks("tracking.store")
    assert {"core", "data", "params"} <= rows_used("models.trained.saved") | rows_used(
        "models.trained.model"
    )
    assert "evaluation" in rows_used("commands.results")  # inside of a function


@pytest.mark.parametrize("framework", OWNERS)
def test_a_framework_is_imported_by_its_owners_alone(framework):
    users = {row(module) for module in MODULES if framework in frameworks(module)}
    assert users
    assert users <= OWNERS[framework]


@pytest.mark.parametrize("module", LIGHT)
def test_values_are_checked_without_importing_anything_heavy(module):
    code = f"import sys, autoencoders.{module}; sys.exit(' '.join({set(HEAVY)} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == "\n"  # the names of those that were imported
