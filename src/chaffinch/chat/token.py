"""The bot's token: where it is looked for, what it has to look like, and that nothing shows it."""

import logging
import os
import re
import stat
import threading
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Final, NoReturn

from chaffinch.config import BotSettings, variables
from chaffinch.errors import InputError, RunError

FILE: Final = "discord-token"
"""Of the file in the state directory, and of the credential that a service manager passes (systemd.exec(5))."""

CREDENTIAL: Final = "the credential of the service"
"""The source of a token that was such a credential."""

VARIABLE: Final = "CHAFFINCH_BOT_TOKEN"
OLDER_VARIABLE: Final = "TOKEN"
KEYRING_SERVICE: Final = "chaffinch"
KEYRING_NAME: Final = "discord"

KEYRING_SECONDS: Final = 60.0
"""How long the keyring may take: somebody may have to unlock it. systemd waits 90 s for a service to start."""

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
    and where there is none; `RunError` where only a keyring could have it, and does not answer.
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
    if credentials is not None and _stands(credentials / FILE):
        # Who may read it the service manager says, by an access list that the mode does not show.
        return Token(_text_of(credentials / FILE), CREDENTIAL)
    path = state / FILE
    return Token(_private(path), str(path)) if _stands(path) else None


def refuse_missing(settings: BotSettings, state: Path) -> None:
    """Without reading it: that a file with the token is there and is nobody else's. Raises `InputError`."""
    credentials = variables.environment_path("CREDENTIALS_DIRECTORY")
    path = Path(settings.token_file) if settings.token_file else state / FILE
    if not settings.token_file and credentials is not None and _stands(credentials / FILE):
        return
    if not settings.token_file and not _stands(path):
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
    except ModuleNotFoundError:
        raise InputError("keyring is not installed; install it with: pip install 'chaffinch[bot]'") from None
    try:
        keyring.set_password(KEYRING_SERVICE, KEYRING_NAME, token.reveal())
    except Exception as error:  # noqa: BLE001 - backends are packages of others, and raise what they like
        why = str(error).replace(token.reveal(), HIDDEN)
        raise InputError(f"the keyring does not take the token ({why}); store it in a file") from None


def has_keyring() -> bool:
    """Whether there is a keyring that stores what it is given."""
    try:
        import keyring

        return bool(keyring.get_keyring().priority >= 1)
    except Exception:  # noqa: BLE001 - as above; ModuleNotFoundError, too
        return False


def _in_keyring() -> str | None:
    """What the keyring has. Raises `InputError` for one that cannot be, `RunError` for one that does not give it: it
    is locked, or asks somebody who is not there to unlock it.
    """
    answer: Future[str | None] = Future()

    def ask() -> None:
        try:
            answer.set_result(_asked_keyring())
        except BaseException as error:  # noqa: BLE001 - whoever waits raises it
            answer.set_exception(error)

    threading.Thread(target=ask, name="keyring", daemon=True).start()  # who ends does not wait for it
    if not wait((answer,), KEYRING_SECONDS).done:
        raise _unread(f"has not answered for {KEYRING_SECONDS:g} seconds")
    return answer.result()


def _asked_keyring() -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringLocked, NoKeyringError
    except ModuleNotFoundError:
        return None
    try:
        ring = keyring.get_keyring()
    except Exception as error:  # noqa: BLE001 - as in `keep_in_keyring`
        raise InputError(
            f"the keyring that PYTHON_KEYRING_BACKEND or keyringrc.cfg names cannot be used ({error}): name another "
            "one, or put the token into a file"
        ) from None
    try:
        return ring.get_password(KEYRING_SERVICE, KEYRING_NAME)
    except NoKeyringError:
        return None  # a machine without one has no token in it
    except KeyringLocked:
        raise _unread("is locked") from None
    except Exception as error:  # noqa: BLE001 - as above; its text might have what it read
        raise _unread(f"cannot be read ({type(error).__name__})") from None


def _unread(why: str) -> RunError:
    return RunError(
        f"there is no token for the bot in a file or variable, and the keyring {why}: unlock it and start again, or "
        "`chaffinch bot discord --setup` stores a token in a file"
    )


def _stands(path: Path) -> bool:
    """Whether it is there, also where it cannot be seen: whoever opens it says what keeps them from that."""
    try:
        return path.exists()
    except OSError:
        return True


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
