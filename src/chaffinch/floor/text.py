"""A report as lines of text: what it took, the tree of imports, what to defer, what was asked."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from chaffinch.floor.findings import Deferral, Forbidden, Freeing, Holding, Import, Place, Report

NAMES: Final = 3
"""How many of the modules that a statement needs are named."""

MAPPED: Final = 256 << 10
"""Fewer bytes of file pages are not told: the kernel maps some around each that is touched."""

_HOMES: Final = re.compile(r"^.*?/lib(64)?/python3[.\d]*/((site|dist)-packages/)?")


def lines(report: Report, least: float) -> Iterator[str]:
    """All of it. Imports that took less than that share of the whole are added up, not told one by one."""
    yield from _whole(report)
    yield ""
    yield from _tree(report, least)
    if report.deferrals:
        yield ""
        yield "Deferring this one statement frees, most first:"
        for deferral in report.deferrals:
            yield from _deferral(deferral)
    else:
        yield ""
        yield "No single statement of your code frees anything when it is deferred."
    if report.shared:
        yield ""
        yield "Imported by several statements, so that deferring one of them frees nothing:"
        for holding in report.shared:
            yield from _holding(holding, "  ", "imported at")
    for freeing in report.freeing:
        yield ""
        yield from _freeing(freeing)
    yield from _kept(report)


def _whole(report: Report) -> Iterator[str]:
    before, after = report.before, report.after
    yield f"{report.entry}, Python {report.python}: {size(report.bytes)} in {report.seconds * 1000:.0f} ms"
    yield ""
    yield f"  {'':9}  {'before':>10}  {'after':>10}  {'more':>10}"
    for name, was, is_ in (
        ("RSS", before.rss_bytes, after.rss_bytes),
        ("private", before.private_bytes, after.private_bytes),
        ("anonymous", before.anonymous_bytes, after.anonymous_bytes),
        ("PSS", before.pss_bytes, after.pss_bytes),
    ):
        yield f"  {name:9}  {size(was):>10}  {size(is_):>10}  {size(is_ - was):>10}"
    modules = report.modules_before
    yield f"  {'modules':9}  {modules:>10}  {modules + report.modules:>10}  {report.modules:>10}"
    if report.threads:
        yield f"  Threads that it left running: {report.threads}; what they take from now on is in none of the figures."
    if report.compiled:
        yield (
            f"  {report.compiled} sources were compiled, and their bytecode could not be kept: "
            "memory and time are those of compiling, too."
        )


def _tree(report: Report, least: float) -> Iterator[str]:
    below: dict[str, list[Import]] = {}
    for one in report.imports:
        below.setdefault(one.above, []).append(one)
    yield f"{'with all':>10}  {'alone':>10}  {'ms':>7}  import"
    yield from _branch(below, "", "", report.bytes * least)
    if report.entry_bytes:
        yield f"{size(report.entry_bytes):>10}  {size(report.entry_bytes):>10}  {'':7}  (the entry itself)"


def _branch(below: Mapping[str, Sequence[Import]], above: str, indent: str, least: float) -> Iterator[str]:
    ranked = sorted(below.get(above, ()), key=lambda one: one.bytes, reverse=True)
    told = [one for one in ranked if one.bytes >= least]
    rest = ranked[len(told) :]
    for one in told:
        failed = " (failed)" if one.failed else ""
        yield (
            f"{size(one.bytes):>10}  {size(one.own_bytes):>10}  {one.seconds * 1000:7.1f}  "
            f"{indent}{plain(one.name)}{failed}"
        )
        yield from _branch(below, one.name, indent + "  ", least)
    if rest and sum(one.bytes for one in rest) >= least:
        total, took = sum(one.bytes for one in rest), sum(one.seconds for one in rest)
        yield f"{size(total):>10}  {'':10}  {took * 1000:7.1f}  {indent}({len(rest)} smaller ones)"


def _deferral(deferral: Deferral) -> Iterator[str]:
    yield (
        f"  {size(deferral.frees_bytes):>10}, {deferral.frees_seconds * 1000:.1f} ms, {deferral.frees_modules} "
        f"module{'s' * (deferral.frees_modules > 1)}{_mapped(deferral.frees_mapped_bytes)}: {_place(deferral.place)}"
    )
    for holding in deferral.held[:NAMES]:
        yield from _holding(holding, "      ", "stays: it is imported at", 2)


def _mapped(count: int) -> str:
    return f", {size(count)} of file pages" if count >= MAPPED else ""


def _holding(holding: Holding, indent: str, verb: str, most: int = 5) -> Iterator[str]:
    more = holding.others + max(0, len(holding.places) - most)
    places = ", ".join(_short(place) for place in holding.places[:most])
    rest = f" and {more} more" if more else ""
    yield f"{indent}{size(holding.bytes):>10}  {plain(holding.module)} {verb} {places}{rest}"


def _freeing(freeing: Freeing) -> Iterator[str]:
    package = plain(freeing.package)
    if freeing.fixed:
        yield f"{package} cannot be freed: no statement on this way stands in your code (--own adds packages to it)"
        yield from (f"  {_place(place)}" for place in freeing.fixed)
        return
    count = len(freeing.places)
    yield (
        f"Fewest statements to defer to free {package}: {count}; they free {size(freeing.frees_bytes)}, "
        f"{freeing.frees_seconds * 1000:.1f} ms, {freeing.frees_modules} modules{_mapped(freeing.frees_mapped_bytes)}"
    )
    yield from (f"  {_place(place)}" for place in freeing.places)


def _kept(report: Report) -> Iterator[str]:
    if report.budget_bytes:
        over = report.after.rss_bytes - report.budget_bytes
        verdict = f"CROSSED by {size(over)}" if over > 0 else "kept"
        yield ""
        yield f"Budget: RSS {size(report.after.rss_bytes)} of {size(report.budget_bytes)}: {verdict}"
    for one in report.forbidden:
        yield ""
        yield from _forbidden(one)


def _forbidden(one: Forbidden) -> Iterator[str]:
    how = ":" if one.way else "; the interpreter has it before the entry begins"
    yield f"FORBIDDEN: {plain(one.package)} is imported{how}"
    yield from (f"  {_place(place)}" for place in one.way)


def _place(place: Place) -> str:
    needs = [plain(name) for name in place.imports[:NAMES]]
    more = len(place.imports) - len(needs)
    names = ", ".join(needs) + (f" and {more} more" if more else "")
    return f"{_short(place)} imports {names}" + (f", at {path(place.via)}" if place.via else "")


def _short(place: Place) -> str:
    return f"{path(place.file)}:{place.line}" if place.file else "a hook or a C extension"


def path(file: str) -> str:
    """A file as its statements are known by: without where its packages are installed, or where we are."""
    here = f"{Path.cwd()}/"
    return plain(
        file.removeprefix(here) if file.startswith(here) and "-packages/" not in file else _HOMES.sub("", file)
    )


def size(count: int) -> str:
    """Bytes as `12.3 MB` (powers of 1024), also fewer than none: memory that was given back."""
    value, unit = float(count), "B"
    for unit in ("B", "KB", "MB", "GB"):
        if abs(value) < 1024 or unit == "GB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def plain(text: str) -> str:
    """The text without what drives a terminal: names and paths are whatever somebody chose."""
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
