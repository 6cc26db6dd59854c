"""`chaffinch init`: a configuration file with every setting, its meaning and its default, commented out; or systemd
units for one.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from chaffinch import config as configuration
from chaffinch.cli import COMMANDS, options
from chaffinch.config import Config, Setting
from chaffinch.errors import InputError

UNITS = Path("/etc/systemd/system")
"""Where units of a machine's owner are (systemd.unit(5))."""


@click.command("init")
@click.argument("file", required=False)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--systemd", is_flag=True, help="Write a systemd unit for the configuration instead.")
@click.option("--split", is_flag=True, help="With --systemd: a template with an instance for each group.")
@click.option("--output", metavar="DIR", help=f"With --systemd: where to; by default {UNITS}.")
@options.placed
def command(
    file: str | None,
    force: bool,
    systemd: bool,
    split: bool,
    output: str | None,
    state: str | None,
    config: str | None,
) -> None:
    """Write a commented configuration file, or systemd units for one that is there.

    FILE is by default the one that every command reads. The units are for the file that --config or CHAFFINCH_CONFIG
    names, or /etc/chaffinch/chaffinch.toml where that is there; other environment variables do not reach them.
    """
    if systemd:
        if file is not None:
            raise InputError(f"units are written for the file that --config names; write --config {file}")
        _units(Path(output) if output is not None else UNITS, config, split=split, force=force)
        return
    if split or output is not None:
        raise InputError("--split and --output are for --systemd; name the configuration file as FILE")
    path = Path(file) if file else options.file_of(config)
    _write({path: commented()}, force=force)
    print(f"wrote {path}; every setting in it is commented out and shows its default")


def _write(texts: dict[Path, str], *, force: bool) -> None:
    """All of the files, or none when one is there already."""
    there = next((path for path in texts if path.exists()), None)
    if there is not None and not force:
        raise InputError(f"{there} is there already; name another place, or replace it with --force")
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path} cannot be written ({error.strerror}); name another place") from None


def _units(folder: Path, config: str | None, *, split: bool, force: bool) -> None:
    """Write them, and say what their owner does next."""
    from chaffinch.fleet import alone, assemble, installation, units

    file = _file_of_a_unit(config)
    # The unit's process has another environment than whoever writes it.
    settings = configuration.load(file, None, {})
    where = installation.found(file, can_reload="reload" in COMMANDS)
    described = assemble.describe(settings, bytes(32))
    groups = assemble.arranged(settings, described)
    for name in groups if split else ():
        alone.configured(settings, groups, name)
    make = units.split if split else units.one
    texts = {folder / name: text for name, text in make(settings, described.plan, groups, where).items()}
    _write(texts, force=force)
    print("wrote " + ", ".join(map(str, texts)))
    enable = " ".join(units.to_enable(groups, split=split))
    print(f"to start it now and at every boot: systemctl daemon-reload && systemctl enable --now {enable}")
    if units.takes_credential(settings):
        print(f"before that: put the Discord bot's token into {units.TOKEN} (chmod 600); its unit needs it to start")
    notes = [] if units.is_root(settings) else [*installation.in_the_way(where), *_of_the_bot(settings, split=split)]
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def _of_the_bot(settings: Config, *, split: bool) -> Iterator[str]:
    """What is to be said of its token where all groups are one user, who is not root."""
    from chaffinch.fleet.units import TOKEN

    if not settings.bot.enabled:
        return
    if settings.bot.token_file:
        yield (
            f"{settings.bot.token_file} (bot.token_file) can be read by the service's user only if it is that user's: "
            f"leave the setting out, put the token into {TOKEN} (chmod 600), and write the unit again"
        )
    elif not split:
        yield (
            "all groups are one user, also those that face attackers, and could read the bot's token: --split hands it "
            "to the bot's unit alone, and so does a service of its own for the bot (docs/bot.md)"
        )


def _file_of_a_unit(config: str | None) -> Path | None:
    from chaffinch.fleet.units import CONFIG

    file = options.file_of(config)
    if file == configuration.config_file():  # nobody named one: a user's own is no service's
        return CONFIG if CONFIG.exists() else None
    return file.absolute()


def commented() -> str:
    """The file: TOML, with every setting as a comment."""
    lines = ["# Chaffinch. Each setting shows its default; remove the # to change it.", ""]
    section = ""
    for one in configuration.settings():
        if one.section != section:
            section = one.section
            head = section.replace("<name>", "ssh")
            lines += ["", f"# [{head}]" if "<name>" in section else f"[{head}]"]
        lines += [f"# {one.description} {one.type[0].upper()}{one.type[1:]}.", f"# {one.key} = {toml(one)}"]
    return "\n".join(lines) + "\n"


def toml(one: Setting) -> str:
    """The setting's default as TOML writes it."""
    value = one.default
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{part}"' for part in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
