"""Counts folded code per 100 statements in src/: `python tools/density.py [FOLDER]`.

Counted are conditional expressions, comprehensions, assignment expressions (walrus), and
assignments of several values to several names in one line. They are readings of good code, not a
target.
"""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

FORMS = ("conditional expressions", "comprehensions", "walrus", "a, b = x, y")
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def main(folder: Path) -> None:
    """Prints each folder's figures and those of all."""
    counts: dict[str, Counter[str]] = {"all": Counter()}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).parts
        counter = Counter(forms_of(path.read_text(encoding="utf-8")))
        counts["all"] += counter
        counts.setdefault(parts[0] if len(parts) > 1 else ".", Counter()).update(counter)
    print(f"{'folder':14}{'statements':>12}" + "".join(f"{form:>26}" for form in FORMS))
    for name, counter in counts.items():
        statements = counter["statements"]
        shares = (100 * counter[form] / max(statements, 1) for form in FORMS)
        print(f"{name:14}{statements:12}" + "".join(f"{share:26.1f}" for share in shares))


def forms_of(source: str) -> Iterator[str]:
    """The form of each node that counts."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt):
            yield "statements"
        if isinstance(node, ast.IfExp):
            yield "conditional expressions"
        elif isinstance(node, COMPREHENSIONS):
            yield "comprehensions"
        elif isinstance(node, ast.NamedExpr):
            yield "walrus"
        elif isinstance(node, ast.Assign) and _is_pairwise(node):
            yield "a, b = x, y"


def _is_pairwise(node: ast.Assign) -> bool:
    """Whether several values are assigned to as many names in one line."""
    return isinstance(node.value, ast.Tuple) and isinstance(node.targets[0], ast.Tuple)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "src/autoencoders"))
