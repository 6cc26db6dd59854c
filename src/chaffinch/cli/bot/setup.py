"""`chaffinch bot discord --setup`: from nothing to a bot that can be started, question by question, on a terminal."""

import asyncio
import shlex
import sys
from getpass import getpass
from pathlib import Path
from typing import Final

from chaffinch import config as configuration
from chaffinch.chat import invite, settings_file
from chaffinch.chat import token as tokens
from chaffinch.chat.account import Account, account_of
from chaffinch.chat.token import PORTAL, Token
from chaffinch.config import Config
from chaffinch.errors import InputError

ATTEMPTS: Final = 3
"""How often a token may be wrong."""

ASKED: Final = (
    ("prefix", "What begins a command in a message"),
    ("command", "The name of the slash command that talks"),
    ("activity", "What the bot is shown to listen to"),
)
"""Settings that are asked for, beside the owners."""


class Setup:
    """One walk through it. `named` is what `--state` and `--config` said, for the command to start it with."""

    def __init__(self, state: Path, file: Path, config: Config, named: tuple[str, ...] = ()) -> None:
        self._state = state
        self._file = file
        self._bot = config.bot
        self._named = named

    def run(self) -> int:
        """Ask, check, write. Raises `InputError` without a terminal, and when the token stays wrong."""
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise InputError(
                "--setup asks questions and needs a terminal; without one put the token into "
                f"{self._state / tokens.FILE} (chmod 600) and settings into [bot] of {self._file}"
            )
        print(_WELCOME.format(portal=PORTAL))
        token, account = self._token()
        print(f"\nThis is {account.name}, in {account.guilds} servers now.")
        account = self._content(token, account)
        self._store(token)
        self._write(self._answers(account))
        self._end(account)
        return 0

    def _token(self) -> tuple[Token, Account]:
        for left in range(ATTEMPTS - 1, -1, -1):
            try:
                token = Token(getpass("Token (nothing is shown while you paste it): "), "this terminal")
                return token, asyncio.run(account_of(token))
            except InputError as error:
                if not left:
                    raise
                print(f"{error}\n")
        raise AssertionError("the last attempt raises")

    def _content(self, token: Token, account: Account) -> Account:
        """Until the intent is on, or its owner wants to see to that later."""
        while not account.reads_content:
            print(_CONTENT.format(portal=PORTAL, application=account.application))
            if _asked("Press Enter to look again, or write `later`", "") == "later":
                print("Until it is on the bot does not start.")
                return account
            account = asyncio.run(account_of(token))
        print("The Message Content Intent is on: it can read what it learns from.")
        return account

    def _store(self, token: Token) -> None:
        path = Path(self._bot.token_file) if self._bot.token_file else self._state / tokens.FILE
        if not self._bot.token_file and tokens.has_keyring() and _asked_yes("Store the token in your keyring"):
            try:
                tokens.keep_in_keyring(token)
            except InputError as error:
                print(error)
            else:
                path.unlink(missing_ok=True)  # an older one there would go before the keyring
                print("The token is in your keyring.")
                return
        tokens.keep_in_file(token, path)
        print(f"The token is in {path}, which only you can read.")

    def _answers(self, account: Account) -> dict[str, object]:
        """Settings that are to be other than they are now."""
        changed: dict[str, object] = {}
        print("\nEnter keeps what stands in brackets.")
        for key, question in ASKED:
            now = getattr(self._bot, key)
            answer = _until_fits(question, now, key)
            if answer != now:
                changed[key] = answer
        now = self._bot.owners or ((account.owner,) if account.owner else ())
        question = "Who may do everything everywhere: ids, with commas between; yours is suggested"
        owners = _until_fits(question, now, "owners")
        if owners != self._bot.owners:
            changed["owners"] = owners
        return changed

    def _write(self, changed: dict[str, object]) -> None:
        if not changed:
            print("No setting differs from what it is: nothing was written.")
            return
        lines = "\n".join(settings_file.lines(changed))
        try:
            settings_file.write(self._file, changed)
        except InputError as error:
            print(f"\n{error}: put this into its [bot] table yourself.\n\n{lines}")
        else:
            print(f"\nWritten to {self._file}:\n\n[bot]\n{lines}")

    def _end(self, account: Account) -> None:
        start = shlex.join(("chaffinch", "bot", "discord", *self._named))
        print(
            _END.format(
                url=invite.url(account.application),
                names=", ".join(invite.NAMES),
                start=start,
                command=self._bot.command,
                public=""
                if not account.is_public
                else f"\nAnybody who knows the link can invite it: {PORTAL}/{account.application}/bot has Public Bot.",
            )
        )


_WELCOME: Final = """\
A Discord bot needs an application of yours:

 1. Open {portal} and press New Application.
 2. Under Bot, switch on Message Content Intent (below Privileged Gateway Intents), and save.
 3. There too, press Reset Token and copy what it shows.
"""

_CONTENT: Final = """
The Message Content Intent is off: the bot would be told that somebody wrote, and not what.
Open {portal}/{application}/bot, switch on Message Content Intent below Privileged Gateway Intents, and save."""

_END: Final = """
Invite it with this link, which asks for {names}:

  {url}
{public}
Start it with:

  {start}

Then, in your server: /listen add, /train, and /{command}."""


def _asked(question: str, default: str) -> str:
    shown = f" [{default}]" if default else ""
    return input(f"{question}{shown}: ").strip() or default


def _asked_yes(question: str) -> bool:
    return _asked(f"{question} (y/n)", "y").lower() in ("y", "yes")


def _until_fits(question: str, now: object, key: str) -> object:
    """An answer that the setting takes; Enter is what it is now."""
    default = ",".join(map(str, now)) if isinstance(now, tuple) else str(now)
    while True:
        text = _asked(question, default)
        if text == default:
            return now
        try:
            return getattr(configuration.load(None, {f"bot.{key}": text}, {}).bot, key)
        except InputError as error:
            print(str(error).partition(": ")[2])
