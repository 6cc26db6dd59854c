"""Write the generated reference pages, and check that every link in the documents leads somewhere."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args, get_origin, get_type_hints

import click
import msgspec

from chaffinch import config
from chaffinch import events as event_types
from chaffinch.load.report.schema import meanings_of, structs_of

if TYPE_CHECKING:
    from chaffinch.fleet.workers import Worker

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


GROUPS_AS_A_TABLE = """
`fleet.groups` may be a table in the file. It names workers, or patterns of them as the shell has them, under the name of their group; a name
goes before a pattern. What no group names goes to its default group ([workers](workers.md)). A group is confined as far as the least strict of its
workers allows: `chaffinch doctor` says where decoys share a process with others.

```toml
[fleet.groups]
front = ["decoy-ssh", "decoy-http"]
shells = ["decoy-telnet"]
rest = ["retention", "sessions", "metrics"]
```"""


def configuration() -> str:
    """The page of all settings."""
    lines = [
        "# Configuration",
        "",
        "Made by `make docs` from the declarations in `config/tree.py`.",
        "",
        "A TOML file, then `CHAFFINCH_*` environment variables, then flags: the later wins. The file is the one that `--config` or",
        "`CHAFFINCH_CONFIG` names, else `$XDG_CONFIG_HOME/chaffinch/chaffinch.toml` where that is there. `chaffinch init` writes one with",
        "every setting commented out. Sizes are written like `128M` (powers of 1024); lists in the environment are separated by commas.",
        "An unknown key, a bad value or an unknown variable is refused in one sentence that names where it stands.",
    ]
    section = ""
    for one in config.settings():
        if one.section != section:
            lines += GROUPS_AS_A_TABLE.splitlines() if section == "fleet" else []
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
    from chaffinch.cli.exits import EVERYWHERE

    context = click.Context(cli, info_name="chaffinch", terminal_width=110, **cli.context_settings)
    lines = ["# Commands", "", "Made by `make docs` from the commands themselves.", ""]
    lines += [
        "Everywhere: `--state DIR` (default: `$XDG_STATE_HOME/chaffinch`, or `~/.local/state/chaffinch`) and `--config FILE`, before or after the command.",
        f"Exit codes: {', '.join(f'{code} {meaning}' for code, meaning in EVERYWHERE.items())}. Commands that mean them more narrowly, or have",
        "others, say so in their help:",
        "",
        "| command | its exit codes |",
        "| --- | --- |",
    ]
    lines += [
        f"| [{name}](#{name.replace(' ', '-')}) | {', '.join(map(str, sorted(own)))} |"
        for name, own in _exits(context, COMMANDS)
    ]
    for name in COMMANDS:
        lines += _command(context, name, 2)
    return "\n".join(lines) + "\n"


def _exits(above: click.Context, names: Iterable[str]) -> Iterator[tuple[str, Mapping[int, str]]]:
    """The commands that declare exit codes of their own, with what they mean."""
    assert isinstance(above.command, click.Group)
    for name in names:
        command = above.command.get_command(above, name)
        assert command is not None
        context = click.Context(command, above, info_name=name)
        own = getattr(command.callback, "exits", None)
        if own is not None:
            yield context.command_path.removeprefix("chaffinch "), own
        if isinstance(command, click.Group):
            yield from _exits(context, command.list_commands(context))


def _command(above: click.Context, name: str, depth: int) -> list[str]:
    """What a command says of itself, and then what those below it say."""
    assert isinstance(above.command, click.Group)
    command = above.command.get_command(above, name)
    assert command is not None
    context = click.Context(command, above, info_name=name)
    title = context.command_path.removeprefix("chaffinch ")
    lines = ["", f"{'#' * depth} {title}", "", "```", command.get_help(context), "```"]
    printed = getattr(command.callback, "printed", None)
    if printed is not None:
        lines += ["", f"`--json` prints {printed.shape}:", "", *_fields(printed.struct)]
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            lines += _command(context, below, depth + 1)
    return lines


def _fields(struct: type[msgspec.Struct]) -> list[str]:
    """The table of a struct's fields, then those of the structs in them."""
    lines = _table(struct)
    for one in structs_of(struct)[1:]:
        lines += ["", f"Of `{one.__name__}`:", "", *_table(one)]
    return lines


def _table(struct: type[msgspec.Struct]) -> list[str]:
    meanings = meanings_of(struct)
    fields = get_type_hints(struct).items()
    rows = [f"| `{field}` | {_json_type(hint)} | {meanings.get(field, '')} |" for field, hint in fields]
    return ["| field | type | meaning |", "| --- | --- | --- |", *rows]


def _json_type(hint: object) -> str:
    """A type as JSON has it."""
    origin, inside = get_origin(hint), [one for one in get_args(hint) if one is not Ellipsis]
    if origin is Literal:
        return " or ".join(f"`{one}`" for one in inside)
    if origin is dict:
        return f"object of {_json_type(inside[1])}"
    if origin in (list, tuple):
        return f"array of {_json_type(inside[0])}"
    if inside:
        return " or ".join(_json_type(one) for one in inside)
    assert isinstance(hint, type)
    names = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}
    return names.get(hint, f"`{hint.__name__}`")


JOBS = (
    ("bus", ("retention",), "the journal is the bus: every group appends to it and reads it with cursors of its own; what is left to do is to bound it"),
    ("api", ("api",), "HTTP, with the event stream"),
    ("web", ("api",), "the dashboard is files, which the API serves"),
    ("collector", ("sessions",), "decoys write events themselves, so nothing is collected; sessions are derived from them"),
    ("sniffer", ("capture",), "each connection's SYN, ClientHello and KEXINIT are read where they arrive; one raw socket, switched on by its owner, sees what no port gets"),
    ("prober", (), "nothing probes attackers: it would tell them, and it would be traffic to hosts that the owner did not name; fingerprints come from what they send"),
    ("profiler", ("profile",), ""),
    ("ttp", ("techniques",), ""),
    ("clusterer", ("campaigns",), "sources to attackers"),
    ("campaign-clusterer", ("campaigns",), "attackers to campaigns: the same evidence, so the same pass"),
    ("attribution", ("campaigns",), "the evidence is kept with what it joins"),
    ("reuse-correlate", ("reuse",), ""),
    ("enrich", ("enrich",), ""),
    ("mutate", ("mutate",), ""),
    ("reconcile", ("reconcile",), ""),
    ("orchestrate", ("life",), "what decoy hosts do among themselves; processes are the supervisor's"),
    ("webhook", ("alerts",), "one worker for every way of telling"),
    ("canary", ("canary",), ""),
    ("agent", ("forward",), "a machine at the edge runs the same fleet under its own supervisor: there is no second program"),
    ("updater", ("reconcile",), "a version is part of what is declared"),
    ("forwarder", ("forward",), ""),
    ("listener", ("listen",), ""),
)  # fmt: skip
"""Jobs of other systems: which workers of ours do them, and how where the name does not say it."""


def _worker_rows(rows: Iterable["Worker"]) -> list[str]:
    """A table of workers."""
    return [
        "| worker | group | needs | idle | weight | does |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            f"| `{row.name}` | {row.group} | {', '.join(row.needs)} | {row.idle_bytes / 1e6:.1f} MB | {row.weight} | {row.does} |"
            for row in rows
        ),
    ]


def workers() -> str:
    """The worker table."""
    from chaffinch.decoys.registry import BUILT_IN
    from chaffinch.fleet.workers import BOT, CAPTURE, KEPT, table

    lines = ["# Workers", "", "Made by `make docs` from `fleet/workers.py`.", ""]
    lines += [
        "`--groups default` runs the workers of one group in one process, `one` all in one, `split` each in its own; a",
        "[table in the file](configuration.md#fleet) says it worker by worker. A worker that fails is started",
        "again with a wait that doubles (`fleet.backoff_seconds` up to `fleet.backoff_limit_seconds`, with jitter, anew after `fleet.healthy_seconds`), and is given",
        "up after `fleet.crash_limit` failures without a healthy interval. Its neighbours go on. Other packages add workers under the entry point group",
        "`chaffinch.workers`; `fleet.workers` names those to run.",
        "",
        "`chaffinch stop`, `start` and `restart` with the name of a worker or a group act on that one alone. A service that was stopped refuses",
        "connections, as a port does that nobody listens on; what comes while a service restarts waits at its port and is served after. What was",
        "stopped stays so when its group begins anew, until it is started. A group whose workers are all stopped has no process. A worker that",
        "does not return when it is to stop is cancelled after 0.8 of `fleet.drain_seconds`; one that ignores that too is shown as failed, and ends",
        "with its group. Only the fleet's own user and root may ask (`SO_PEERCRED`, on a socket in the state directory).",
        "",
        "## The table",
        "",
        "`decoys` faces attackers, `back` reads what they left, `out` may connect to hosts that the owner named, and `front` is what the owner's own",
        "people connect to. What a worker needs is all that it gets: a group without `outbound` in it cannot open a connection, and one that faces",
        "attackers writes to the journal and the quarantine alone. `idle` is private memory, before anybody comes; `weight` is the part of what a",
        "budget leaves beyond that ([budget.md](budget.md)). Another package's worker runs in `back`, and may connect.",
        "",
        *_worker_rows(table(BUILT_IN, opted=(CAPTURE, BOT))),
        "",
        "Places that are kept for workers to come, and whose names no package may take:",
        "",
        *_worker_rows(KEPT),
        "",
        "## Jobs that other deception networks give a process each",
        "",
        "| job | worker | how |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {job} | {', '.join(f'`{one}`' for one in ours) or 'none'} | {how} |" for job, ours, how in JOBS]
    return "\n".join(lines) + "\n"


RELOAD = """# Reload

Its table is made by `make docs` from `fleet/reload.py`.

`chaffinch reload` lets a running fleet take over its configuration as it is written now: the file, the environment and the flags that it was
started with. What the change touches begins anew, one worker or group after the other, each once the last one serves; sessions with all
others go on. The command returns when it is done, and says what became of which worker; `--json` says it to a program.

- **All is looked at first.** A file that is wrong, a service or worker that is not there, a table of groups or a budget that does not fit, and a port
  that cannot be bound are refused in one sentence, and nothing has changed. The exit code is then 2, or 1 where the machine is the reason.
- **A worker that does not start takes all of it back**: what was touched goes back to the configuration that the fleet had, and the command ends with 1.
- **Ports that stay keep their sockets** and what waits in them, with the new filter; new ones are bound before anything is touched, old ones
  are closed at the end. Groups get the new sockets over their channel.
- **A name in `metrics.host` is looked up by the worker that binds it**: where it leads nowhere, the reload is taken back as above.
- **Decoy hosts stay who they are**: they follow from the seed and the address, and the seed cannot change.
- **What was stopped stays stopped**, in whatever group it is then.
- **A process that dies meanwhile comes back with the new configuration.** A fleet that is stopped meanwhile stops.
- One at a time: another reload, and `start`, `stop NAME` and `restart`, are refused until it is done.

A service manager is told `RELOADING=1` and, when it is over, `READY=1`. A unit of `Type=notify` has `ExecReload=chaffinch reload`. SIGHUP is no reload:
it means that the terminal is gone, and ends the fleet in order.
"""

RELOAD_INSIDE = """## In a network of its own

In a [network namespace](network.md) services come, go and move to other ports as they do on loopback, and every group that begins anew with a worker
that faces attackers is inside again. Links, routes and rules stay as they are, but for the ports that datagrams may leave from: those of both
configurations while the reload goes on, then those of the one that holds. Each step takes the process that builds the namespace, a third of a second
and 40 MB (measured on two busy cores), and only where services on UDP change. The supervisor answers nobody meanwhile, so it gets 2 s; where it fails or
takes longer, the reload is refused, or says at its end that datagrams may still leave from ports that are gone, which the next one that changes
anything mends. A metrics page that was not there when the fleet started cannot come to a group with decoys.

## Capture

`capture.enabled` and `capture.buffer_bytes` take the privilege that a start takes: without it they are refused. The supervisor opens another socket and
ring, the group of `capture` begins with a new process, since no process that runs is given the socket, and the old ones are closed. In the default
groups every service begins anew with it. With `groups = "split"`, or with a group that the same change brings, none does:

```toml
[fleet.groups]
packets = ["capture"]
```

What the old ring holds is told by the worker that ends; where that was stopped, it is counted as dropped. From one ring to another a packet may be
told twice (15 of 400,000 in a flood with three changes), and none goes uncounted.
"""


def reload() -> str:
    """What a change of each setting asks for."""
    from chaffinch.fleet.reload import FIXED, RULES

    means = {
        "told": "nothing begins anew",
        "workers": "restarted in their process",
        "processes": "restarted with a new process",
        "fleet": "refused: restart the fleet",
    }
    lines = [RELOAD, "## What a change touches", "", "The first row that fits counts; what fits none is refused.", ""]
    lines += ["| setting | then | who |", "| --- | --- | --- |"]
    lines += [f"| `{rule.settings}` | {means[rule.then]} | {rule.who} |" for rule in RULES]
    lines += [
        "",
        "A bound that follows from the budget (`decoys.sessions`, see [budget.md](budget.md)) changes with it, at once. Given with the number that it has by default, or taken out",
        "again, it counts as changed, and nothing begins anew for that.",
        "",
        "`fleet.groups`, `fleet.workers` and `services` also decide which workers and groups there are. A worker that is new to a group is started in its",
        "process, and one that is no more is stopped there. A group begins with a new process where a worker came to it or left it for another one, and",
        "where its workers need another confinement, which a process cannot change.",
        "",
        "## What holds besides",
        "",
        "| while the fleet runs | cannot change |",
        "| --- | --- |",
        *(f"| {one.how} | {', '.join(f'`{path}`' for path in one.settings)} |" for one in FIXED),
        "",
        *RELOAD_INSIDE.splitlines(),
    ]
    return "\n".join(lines) + "\n"


def floors() -> str:
    """What each entry point may take."""
    sys.path.insert(0, str(ROOT))
    from tests.floors import FLOORS

    lines = [
        "# Floors",
        "",
        "Made by `make docs` from `tests/floors.py`.",
        "",
        "What each entry point may add to a fresh interpreter, which takes 8 to 9 MB itself, and what must not come in with it. A test starts an",
        "interpreter for each of them ([how to measure any other](floor.md)). Groups are measured as if nothing had been shared: forked from the",
        "supervisor, they hold most of this once.",
        "",
        "| entry point | may add | must not come with it |",
        "| --- | --- | --- |",
    ]
    lines += [
        f"| {one.name} | {one.grows_by / 1e6:g} MB | {', '.join(f'`{name}`' for name in sorted(set(one.forbidden)))} |"
        for one in FLOORS
    ]
    return "\n".join(lines) + "\n"


BOT_COMMANDS = """# Commands of the Discord bot

Made by `make docs` from the command table (`chat/commands/`).

Each command is there as a slash command and behind the prefix (`bot.prefix`, `!mark` unless you say otherwise); the prefix alone has the bot talk, as
`/mark` does, whose name is `bot.command`. Discord gets what changed of them when the bot starts: everybody, or `bot.dev_guild` alone. They work in
servers only.

- **By prefix** a command is a message that begins with the prefix as a word of its own, in whatever case, and goes on with the name of a command or
  with an option of the one that talks. `!mark my words` is a message as all others. Channels, members, roles and numbers stand there as they are; all
  else is `name:value`, with quotes around what has spaces (`seed:"to be"`), and the name of a switch alone switches it on. A file is attached to the
  message. Answers are replies, which all of the channel see.
- **Moderators** have one of the permissions Manage Channels, Kick Members, Move Members and Administrator by a role, not only in one channel,
  or are an owner of the bot (`bot.owners`). Other bots and webhooks never are.
- **To have it talk** takes one of the roles of `bot.user_roles` where that is set: moderators and owners need it as all others do.
- A refusal is seen by the caller alone, and so is what tells something about one person. Nothing that the bot says pings anybody.
- Menus and buttons work for as long as their message is there, also after a restart; who uses them has to be a moderator at that time."""


def bot_commands() -> str:
    """The page of the bot's commands."""
    from chaffinch.chat.commands.help import usage
    from chaffinch.chat.commands.table import table
    from chaffinch.chat.commands.words import taken

    settings = config.BotSettings()
    commands = table(settings)
    whose = {"anyone": "", "moderator": "For moderators. ", "speaker": "Takes a role where `bot.user_roles` is set. "}
    lines = BOT_COMMANDS.splitlines()
    for leaf in commands.leaves.values():
        lines += ["", f"## /{leaf.path}", "", f"{whose[leaf.command.who]}{leaf.command.about}", ""]
        lines += [f"By prefix: `{usage(leaf, settings.prefix, commands)}`"]
        options = [one for one in leaf.command.options if not one.name.startswith("channel-")]
        channels = [one for one in leaf.command.options if one not in options]
        if leaf.command.options:
            lines += ["", "| option | takes | meaning |", "| --- | --- | --- |"]
        if channels:
            lines.append(
                f"| `channel-1` to `channel-{len(channels)}` | a channel | {channels[0].about} The first is required. |"
            )
        for option in options:
            required = " Required." if option.is_required else ""
            lines.append(f"| `{option.name}` | {taken(option)} | {option.about}{required} |")
    return "\n".join(lines) + "\n"


PAGES = {
    "bot-commands.md": bot_commands,
    "commands.md": commands,
    "configuration.md": configuration,
    "events.md": events,
    "reload.md": reload,
    "floors.md": floors,
    "workers.md": workers,
}


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
