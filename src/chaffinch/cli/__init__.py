"""The command line. `chaffinch --help` imports this file and click, nothing else; a command's module is imported
when called.
"""

import importlib
import sys
from collections.abc import Mapping
from typing import ClassVar

import click

COMMANDS = {
    "up": "Bring up the fleet.",
    "status": "Show the fleet, its groups and workers.",
    "stop": "Stop the fleet in order, or one worker or group.",
    "start": "Start a worker or group that was stopped.",
    "restart": "Let a worker or group begin anew.",
    "reload": "Take over a changed configuration while the fleet runs.",
    "hosts": "List the decoy hosts and what they run.",
    "sessions": "List who connected to what.",
    "events": "Show what was recorded.",
    "logs": "Show the fleet's own log.",
    "chain": "Train chains, make messages of them, and forget.",
    "load": "Test with load in bounded memory, and compare.",
    "bot": "Run a chat bot that talks as its community does.",
    "floor": "Say what importing something costs.",
    "doctor": "Say what this machine allows.",
    "init": "Write a commented configuration file.",
}


class LazyGroup(click.Group):
    """Knows the names and short helps of the commands; imports the one that is called."""

    commands_of: ClassVar[Mapping[str, str]] = COMMANDS

    def load(self, name: str) -> object:
        """The command of that name, imported now."""
        return importlib.import_module(f"chaffinch.cli.{name}").command

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands_of)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands_of:
            return None
        command = self.load(cmd_name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command, to its end or until its reader has seen enough: click would call that a failure."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _let_go_of_stdout()
            return 0

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, known = args[0] if args else "", self.commands_of
        if name and not name.startswith("-") and name not in known:
            import difflib

            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(known)}"
            ctx.fail(f"there is no command {name!r}{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.commands_of.items()))


def _version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from chaffinch import __version__

        click.echo(f"chaffinch {__version__}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version)
@click.option("--state", metavar="DIR", help="Where the fleet keeps its state.")
@click.option("--config", metavar="FILE", help="The configuration file.")
@click.pass_context
def cli(ctx: click.Context, state: str | None, config: str | None) -> None:
    """A deception network on a memory budget.

    `chaffinch up` fills a prefix with decoy hosts; `chaffinch events --follow` shows what they catch.
    """
    ctx.obj = {"state": state, "config": config}


def main(arguments: list[str] | None = None) -> None:
    """Run one command; exit 0 for success, 1 for a failed run, 2 for bad input. Errors are one sentence on stderr."""
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    from chaffinch.errors import ChaffinchError

    try:
        result = cli.main(arguments, prog_name="chaffinch", standalone_mode=False)
        sys.stdout.flush()
    except ChaffinchError as error:
        from chaffinch.cli.chain.shown import line

        # It may quote a file that a stranger wrote, or its name.
        said = "\n".join(line(one) for one in str(error).split("\n"))
        click.echo(f"chaffinch: {said}", err=True)
        return error.exit_code
    except click.exceptions.Exit as left:
        return left.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        _let_go_of_stdout()
        return 0
    return result if isinstance(result, int) else 0


def _let_go_of_stdout() -> None:
    """The reader has seen enough (`chaffinch events | head`): nothing is left to say, also not at exit."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
