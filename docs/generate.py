"""Write the generated reference pages, and check that every link in the documents leads somewhere."""

import re
import sys
from pathlib import Path

import click

from chaffinch import config
from chaffinch import events as event_types

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def configuration() -> str:
    """The page of all settings."""
    lines = [
        "# Configuration",
        "",
        "Made by `make docs` from the declarations in `config.py`.",
        "",
        "A TOML file, then `CHAFFINCH_*` environment variables, then flags: the later wins. The file is the one that `--config` or",
        "`CHAFFINCH_CONFIG` names, else `$XDG_CONFIG_HOME/chaffinch/chaffinch.toml` where that is there. `chaffinch init` writes one with",
        "every setting commented out. Sizes are written like `128M` (powers of 1024); lists in the environment are separated by commas.",
        "An unknown key, a bad value or an unknown variable is refused in one sentence that names where it stands.",
    ]
    section = ""
    for one in config.settings():
        if one.section != section:
            section = one.section
            about = (config.SECTIONS[section].__doc__ or "").strip()
            lines += [
                "",
                f"## [{section}]",
                "",
                about,
                "",
                "| key | allowed | default | variable | meaning |",
                "| --- | --- | --- | --- | --- |",
            ]
        variable = "" if section.startswith("services") else f"`{one.variable}`"
        default = ", ".join(one.default) if isinstance(one.default, tuple) else one.default
        unit = f" ({one.unit})" if one.unit not in ("", "bytes") else ""
        lines.append(f"| `{one.key}` | {one.type}{unit} | `{default}` | {variable} | {one.description} |")
    return "\n".join(lines) + "\n"


def events() -> str:
    """The page of all event types."""
    lines = [
        "# Events",
        "",
        "Made by `make docs` from `events.py`.",
        "",
        "`chaffinch events --json` prints one object a line: `seq`, `time` (RFC 3339), `kind`, `service`, `address` (the decoy host), `source`,",
        "`session`, and the fields of its kind. Text that a peer sent has control characters, backslashes and bytes that are not UTF-8 escaped.",
    ]
    for fact in sorted(event_types.AnyFact.__args__, key=event_types.kind_of):
        lines += ["", f"## {event_types.kind_of(fact)}", "", re.sub(r"\s+", " ", (fact.__doc__ or "").strip()), ""]
        lines += ["| field | type |", "| --- | --- |"]
        lines += [f"| `{name}` | {_type(fact.__annotations__[name])} |" for name in fact.__struct_fields__]
    return "\n".join(lines) + "\n"


def _type(annotation: object) -> str:
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return text.replace("chaffinch.events.", "").replace("|", "or")


def commands() -> str:
    """The page of all commands, from what `--help` says."""
    from chaffinch.cli import COMMANDS, cli

    lines = ["# Commands", "", "Made by `make docs` from the commands themselves.", ""]
    lines += [
        "Everywhere: `--state DIR` (default: `$XDG_STATE_HOME/chaffinch`, or `~/.local/state/chaffinch`) and `--config FILE`, before or after the command.",
        "Exit codes: 0 success, 1 a failed run, 2 bad input.",
    ]
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        help_text = command.get_help(
            click.Context(command, info_name=f"chaffinch {name}", max_content_width=110, terminal_width=110)
        )
        lines += ["", f"## {name}", "", "```", help_text, "```"]
    return "\n".join(lines) + "\n"


def workers() -> str:
    """The worker table."""
    from chaffinch.decoys.registry import BUILT_IN
    from chaffinch.fleet.workers import table

    lines = ["# Workers", "", "Made by `make docs` from `fleet/workers.py`.", ""]
    lines += [
        "`--groups default` runs the workers of one group in one process, `one` all in one, `split` each in its own. A worker that fails is started",
        "again with a wait that doubles (`fleet.backoff_seconds` up to `fleet.backoff_limit_seconds`, with jitter, anew after `fleet.healthy_seconds`), and is given",
        "up after `fleet.crash_limit` failures without a healthy interval. Its neighbours go on. Other packages add workers under the entry point group",
        "`chaffinch.workers`; `fleet.workers` names those to run.",
        "",
        "| worker | group | faces attackers | does |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{row.name}` | {row.group} | {'yes' if row.faces_attackers else 'no'} | {row.does} |"
        for row in table(BUILT_IN)
    ]
    return "\n".join(lines) + "\n"


PAGES = {"commands.md": commands, "configuration.md": configuration, "events.md": events, "workers.md": workers}


def broken_links() -> list[str]:
    """Links to files that are not there, as `page: target`."""
    pages = [*ROOT.glob("*.md"), *DOCS.glob("*.md")]
    return [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in _LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]


def main() -> int:
    """Write the pages; exit 1 when a link is broken."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
    broken = broken_links()
    for link in broken:
        sys.stderr.write(f"broken link in {link}\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
