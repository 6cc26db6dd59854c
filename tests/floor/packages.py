"""Packages that tests write: a folder of modules from text, and one of many modules."""

import random
import textwrap
from collections.abc import Mapping
from pathlib import Path

from chaffinch.floor import measure
from chaffinch.floor.entry import Entry
from chaffinch.floor.findings import Asked, Report, report


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """Write those files, by path, and return the folder."""
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
    return folder


def of_many(folder: Path, modules: int, seed: int = 1) -> None:
    """Write the package `many`: every module has classes and functions, and imports some of those before it."""
    chosen = random.Random(seed)
    names = [f"part{number // 20}.m{number}" for number in range(modules)]
    files = {"many/__init__.py": "".join(f"import many.{name}\n" for name in names[-40:])}
    for number, name in enumerate(names):
        part = name.partition(".")[0]
        files.setdefault(f"many/{part}/__init__.py", "")
        before = chosen.sample(names[:number], min(number, 4))
        before += names[max(0, number - 1) : number]
        imports = "".join(f"from many.{one.rpartition('.')[0]} import {one.rpartition('.')[2]}\n" for one in before)
        body = "".join(
            f"class Kind{at}:\n    '''What it is.'''\n    size = {at}\n"
            f"    def grow(self, by: int) -> int:\n        return self.size + by * {at}\n"
            f"    def name(self) -> str:\n        return 'kind {at} of {name}'\n"
            for at in range(12)
        )
        files[f"many/{part}/m{number}.py"] = imports + body
    written(folder, files)


def entry_in(folder: Path, code: str, own: tuple[str, ...] = ()) -> Entry:
    """An entry whose packages are in that folder."""
    return Entry("the test", f"import sys\nsys.path.insert(0, {str(folder)!r})\n{code}", own)


def reported(folder: Path, code: str, python: str, asked: Asked | None = None) -> Report:
    """Measure code that imports what is in that folder."""
    entry = entry_in(folder, code)
    return report(entry, measure.measure(entry, python, 60), asked or Asked())
