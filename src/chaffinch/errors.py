"""One exception root. Each class says whose fault it is, and its text says what is wrong, where, and what to do."""


class ChaffinchError(Exception):
    """Anything the command line shows as one sentence, without a traceback."""

    exit_code = 1


class InputError(ChaffinchError):
    """The operator gave something that cannot be used: a flag, a file, a setting. Exit code 2."""

    exit_code = 2


class SettingError(InputError):
    """A setting that can be read and not be used. `path` names it, so that who read the file can say where it is."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(text)
        self.path = path


class RunError(ChaffinchError):
    """The machine did not let a run go on: a port taken, a disk full, a directory that cannot be written."""


class PeerError(Exception):
    """The peer's fault, or its right: it ends one session and is never shown to the operator.

    `reason` goes into the session's closing record, so it is one of a small fixed set of words.
    """

    reason = "peer"


class PeerClosedError(PeerError):
    """The peer closed while a read still wanted bytes."""


class PeerIdleError(PeerError):
    """The peer sent nothing for as long as the service waits."""

    reason = "idle"


class LimitError(PeerError):
    """The peer reached a bound of its session; `reason` names which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
