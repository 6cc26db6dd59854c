"""The bot's token: where it is looked for, what it has to look like, and that nothing shows it."""

import logging
import os
import re
import stat
from pathlib import Path
from typing import Final, NoReturn

from chaffinch.config import BotSettings, variables
from chaffinch.errors import InputError

FILE: Final = "discord-token"
"""Of the file in the state directory, and of the credential that a service manager passes (systemd.exec(5))."""

CREDENTIAL: Final = "the credential of the service"
"""The source of a token that was such a credential."""

VARIABLE: Final = "CHAFFINCH_BOT_TOKEN"
OLDER_VARIABLE: Final = "TOKEN"
KEYRING_SERVICE: Final = "chaffinch"
KEYRING_NAME: Final = "discord"

MOST_BYTES: Final = 4096
"""Of a token's file: Discord's tokens have 59 to 72 characters."""

PORTAL: Final = "https://discord.com/developers/applications"
"""Where applications are made and set up."""

HIDDEN: Final = "<the token>"

_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{17,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{20,}")
"""The application's id and a time in base64url, and a signature; dots between."""

_OTHERS: Final = (
    (re.compile(r"\d{17,20}"), "the application's id"),
    (re.compile(r"[0-9a-fA-F]{64}"), "the application's public key"),
    (re.compile(r"[A-Za-z0-9_-]{32}"), "the client secret of OAuth2"),
)
"""What stands on the application's pages too, and is taken for it."""


class Token:
    """A bot's token, and where it was found. What prints it, shows its attributes or copies it does not get it."""

    __slots__ = ("_text", "source")

    def __init__(self, text: str, source: str) -> None:
        """Raises `InputError`, without the text, for what cannot be a token."""
        self._text = text.strip().removeprefix("Bot ").strip()
        self.source = source
        if not _SHAPE.fullmatch(self._text):
            raise InputError(_unlike(self._text, source))

    def reveal(self) -> str:
        """The token itself: for the one who says it to Discord, or stores it."""
        return self._text

    def __repr__(self) -> str:
        return f"<token from {self.source}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is not to be copied into anything")


def _unlike(text: str, source: str) -> str:
    taken = next((name for shape, name in _OTHERS if shape.fullmatch(text)), "")
    what = "is empty" if not text else f"looks like {taken}" if taken else "does not look like one"
    return (
        f"the bot's token from {source} {what}: a token is three parts with dots between; copy it from your "
        f"application's page at {PORTAL}, under Bot, Reset Token"
    )


def found(settings: BotSettings, state: Path, *, older: Token | None = None) -> Token:
    """The bot's token, from the first place that has one; the environment is without it afterwards.

    `older` is that of an older bot's file. Raises `InputError` for one that cannot be, for a file that others can read,
    and where there is none.
    """
    ours, theirs = variables.take(VARIABLE), variables.take(OLDER_VARIABLE)
    if ours:
        return Token(ours, f"the environment variable {VARIABLE}")
    if (token := of_files(settings, state)) is not None:
        return token
    if theirs:
        return Token(theirs, f"the environment variable {OLDER_VARIABLE}")
    if older is not None:
        return older
    if (text := _in_keyring()) is not None:
        return Token(text, "the keyring")
    raise InputError(
        "there is no token for the bot: `chaffinch bot discord --setup` asks for one and stores it, or put it into "
        f"{state / FILE} (chmod 600), bot.token_file, or the environment variable {VARIABLE}"
    )


def of_files(settings: BotSettings, state: Path) -> Token | None:
    """The token where a file has it: `bot.token_file`, a credential of the service manager, or the state directory.

    Raises `InputError` as `found` does, but not where there is none.
    """
    if settings.token_file:
        path = Path(settings.token_file)
        return Token(_private(path), f"{path} (bot.token_file)")
    credentials = variables.environment_path("CREDENTIALS_DIRECTORY")
    if credentials is not None and (credentials / FILE).exists():
        # Who may read it the service manager says, by an access list that the mode does not show.
        return Token(_text_of(credentials / FILE), CREDENTIAL)
    path = state / FILE
    return Token(_private(path), str(path)) if path.exists() else None


def refuse_missing(settings: BotSettings, state: Path) -> None:
    """Without reading it: that a file with the token is there and is nobody else's. Raises `InputError`."""
    credentials = variables.environment_path("CREDENTIALS_DIRECTORY")
    path = Path(settings.token_file) if settings.token_file else state / FILE
    if not settings.token_file and credentials is not None and (credentials / FILE).exists():
        return
    if not settings.token_file and not path.exists():
        raise InputError(
            f"bot.enabled is on, and there is no token: put it into {path} (chmod 600), or name its file with "
            "bot.token_file; what the environment says every process of the fleet could read"
        )
    descriptor = _opened(path)
    os.close(descriptor)


def keep_in_file(token: Token, path: Path) -> None:
    """Write it into a file that its owner alone may read. Raises `InputError` when that cannot be done."""
    from chaffinch.fleet.state import write_private

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, token.reveal().encode() + b"\n")
    except OSError as error:
        raise InputError(f"the token cannot be written to {path} ({error.strerror}); name another place") from None


def keep_in_keyring(token: Token) -> None:
    """Store it in the keyring. Raises `InputError` where there is none that takes it."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ModuleNotFoundError:
        raise InputError("keyring is not installed; install it with: pip install 'chaffinch[bot]'") from None
    try:
        keyring.set_password(KEYRING_SERVICE, KEYRING_NAME, token.reveal())
    except KeyringError as error:
        raise InputError(f"the keyring does not take the token ({error}); store it in a file") from None


def has_keyring() -> bool:
    """Whether there is a keyring that stores what it is given."""
    try:
        import keyring
    except ModuleNotFoundError:
        return False
    return bool(keyring.get_keyring().priority >= 1)


def _in_keyring() -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ModuleNotFoundError:
        return None
    try:
        return keyring.get_password(KEYRING_SERVICE, KEYRING_NAME)
    except KeyringError:
        return None  # a machine without one has no token in it


def _private(path: Path) -> str:
    """What a file says that nobody else may read."""
    return _text_of(path, _opened(path))


def _opened(path: Path) -> int:
    """A descriptor of it. Raises `InputError` for what is no file, and what others can read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise InputError(
            f"the bot's token cannot be read from {path} ({error.strerror}); store it there, or name another file with "
            "bot.token_file"
        ) from None
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode) and not mode & 0o077:
        return descriptor
    os.close(descriptor)
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} is no file; name the one that has the bot's token with bot.token_file")
    raise shared(path)


def shared(path: Path) -> InputError:
    """What is said of a file that has the token, and that others can read."""
    return InputError(
        f"{path} has the bot's token, and others than its owner can read it: chmod 600 {path}, and if this machine has "
        "other users take a new token"
    )


def _text_of(path: Path, descriptor: int | None = None) -> str:
    try:
        with open(path if descriptor is None else descriptor, "rb") as file:
            return file.read(MOST_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise InputError(f"the bot's token cannot be read from {path} ({error.strerror})") from None


class Hiding(logging.Filter):
    """On a handler: no record shows the token, whoever logged it. Nothing of ours does; a library might."""

    def __init__(self, token: Token) -> None:
        super().__init__()
        self._token = token
        self._formatter = logging.Formatter()

    def hides(self, token: Token) -> bool:
        """Whether it is for this token."""
        return token.reveal() == self._token.reveal()

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass the record, with the token replaced in its text and its traceback."""
        secret = self._token.reveal()
        if secret in (text := record.getMessage()):
            record.msg, record.args = text.replace(secret, HIDDEN), None
        if record.exc_info and not record.exc_text:
            record.exc_text = self._formatter.formatException(record.exc_info)
        for name in ("exc_text", "stack_info"):
            if (shown := getattr(record, name)) and secret in shown:
                setattr(record, name, shown.replace(secret, HIDDEN))
        return True
