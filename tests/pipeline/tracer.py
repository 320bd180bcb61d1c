"""Runs a stage script like `python` does, then prints what it used.

`tracer.py pipeline/train.py sparse`. The last line of its output is JSON: {"files": project files
imported, "params": dotted names of parameters read}. A copy of the parameters counts as the
original: copying reads nothing, and what is read of the copy is traced.
"""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

from autoencoders.params import params
from autoencoders.params.section import Section

paths: dict[int, str] = {}  # of the sections of the loaded parameters, by identity
kept: list[Any] = []  # so that no identity is used twice
reads: set[str] = set()


def register(section: Section, path: str) -> None:
    paths[id(section)] = path
    kept.append(section)
    for name, value in section.__dict__.items():
        if isinstance(value, Section):
            register(value, f"{path}.{name}".lstrip("."))


def read(section: Section, names: Any) -> None:
    if id(section) in paths:
        reads.update(f"{paths[id(section)]}.{name}".lstrip(".") for name in names)


def instrument() -> None:
    fields = Section.__getattribute__
    iterate, dump, copy, load = (
        Section.__iter__,
        Section.model_dump,
        Section.model_copy,
        params.load_params,
    )

    def getattribute(self: Section, name: str) -> Any:
        if name in type(self).model_fields:
            read(self, [name])
        return fields(self, name)

    def model_dump(self: Section, **options: Any) -> Any:
        read(self, set(type(self).model_fields) - set(options.get("exclude", ())))
        return dump(self, **options)

    def iterated(self: Section) -> Any:
        read(self, type(self).model_fields)
        return iterate(self)

    def model_copy(self: Section, **options: Any) -> Any:
        copied = copy(self, **options)
        if id(self) in paths:
            register(copied, paths[id(self)])
        return copied

    def load_params() -> params.Params:
        loaded = load()
        register(loaded, "")
        return loaded

    section: Any = Section
    section.__getattribute__ = getattribute
    section.__iter__ = iterated
    section.model_dump = model_dump
    section.model_copy = model_copy
    module: Any = params
    module.load_params = load_params


if __name__ == "__main__":
    script, *sys.argv[1:] = sys.argv[1:]
    instrument()
    runpy.run_path(script, run_name="__main__")
    here = Path.cwd()
    files_of_modules = [getattr(m, "__file__", None) for m in list(sys.modules.values())]
    loaded = [Path(path) for path in files_of_modules if path]
    files = sorted(
        {p.relative_to(here).as_posix() for p in loaded if p.is_relative_to(here / "src")}
    )
    print(json.dumps({"files": [*files, script], "params": sorted(reads)}))
