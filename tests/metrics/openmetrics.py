"""A strict reader of OpenMetrics text, written from the specification's grammar: anything else is an error."""

import re

import msgspec

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["n\\])*"'
NUMBER = r"(?:NaN|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? ({NUMBER})")
HEAD = re.compile(rf"# (TYPE|UNIT|HELP) ({NAME}) (.+)")
ESCAPED = re.compile(r'(?:[^"\\\n]|\\["n\\])*')
SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "unknown": ("",),
    "summary": ("", "_count", "_sum"),
    "histogram": ("_bucket", "_count", "_sum"),
}

Labels = tuple[tuple[str, str], ...]


class Read(msgspec.Struct):
    """One family as it stands on the page."""

    kind: str
    unit: str = ""
    help: str = ""
    samples: dict[tuple[str, Labels], float] = {}


def parse(page: bytes) -> dict[str, Read]:
    """The families of the page by name. Raises `AssertionError` for what the specification does not allow."""
    text = page.decode("utf-8")
    assert text.endswith("# EOF\n")
    lines = text.removesuffix("# EOF\n").split("\n")[:-1]
    families: dict[str, Read] = {}
    name = ""
    for line in lines:
        if line.startswith("#"):
            name = _head(line, name, families)
            continue
        found = SAMPLE.fullmatch(line)
        assert found, line
        family = families[name]
        suffix = found[1].removeprefix(name)
        assert found[1].startswith(name), f"{line} stands under {name}"
        assert suffix in SUFFIXES[family.kind], line
        labels = tuple(_label(one[0]) for one in re.finditer(LABEL, found[2] or ""))
        assert len(dict(labels)) == len(labels), line
        assert ("quantile" in dict(labels)) == (family.kind == "summary" and not suffix), line
        assert ("le" in dict(labels)) == (suffix == "_bucket"), line
        key = (suffix, tuple(sorted(labels)))
        assert key not in family.samples, f"twice: {line}"
        family.samples[key] = float(found[3].replace("Inf", "inf"))
    return families


def _head(line: str, name: str, families: dict[str, Read]) -> str:
    found = HEAD.fullmatch(line)
    assert found, line
    what, family, text = found.groups()
    if what == "TYPE":
        assert family not in families, f"twice: {line}"
        families[family] = Read(text)
        assert text in SUFFIXES
        return family
    assert family == name, f"{line} stands under {name}"
    assert not families[name].samples
    if what == "UNIT":
        assert name.endswith("_" + text), line
        families[name].unit = text
    else:
        assert ESCAPED.fullmatch(text), line
        families[name].help = text
    return name


def _label(text: str) -> tuple[str, str]:
    name, _, quoted = text.partition("=")
    return name, re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), quoted[1:-1])
