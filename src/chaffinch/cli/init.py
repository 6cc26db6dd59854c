"""`chaffinch init`: a configuration file with every setting, its meaning and its default, commented out."""

from pathlib import Path

import click

from chaffinch import config as configuration
from chaffinch.cli import options
from chaffinch.config import Setting
from chaffinch.errors import InputError


@click.command("init")
@click.argument("file", required=False)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@options.placed
def command(file: str | None, force: bool, state: str | None, config: str | None) -> None:
    """Write a commented configuration file.

    FILE is by default the one that every command reads.
    """
    path = Path(file) if file else options.file_of(config)
    if path.exists() and not force:
        raise InputError(f"{path} is there already; name another file, or replace it with --force")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(commented(), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); name another file") from None
    print(f"wrote {path}; every setting in it is commented out and shows its default")


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
