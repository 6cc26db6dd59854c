"""Faults of ours in the log: where, and of which kind, and never with what somebody wrote."""

import logging
import re
import secrets
import traceback
from typing import Final

_NAME: Final = re.compile(r"name='([^']*)'|coro=<([\w.<>]+?)\(")
"""Of a task, in what asyncio says of it."""


def log_fault(log: logging.Logger, what: str, error: BaseException, **fields: object) -> str:
    """Log an error with its traceback, without its text, which may hold a message; the id that it has in the log.

    Of an answer of Discord's (which has `status` and `code`) those two are told.
    """
    name = secrets.token_hex(4)
    kind = type(error).__name__
    told = {"error": kind, "status": getattr(error, "status", None), "code": getattr(error, "code", None), **fields}
    words = " ".join(f"{key}={value}" for key, value in told.items() if value is not None)
    frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    log.error("%s id=%s %s\n%s", what, name, words, frames)
    return name


class Terse(logging.Filter):
    """On asyncio's logger: which task, which kind of error and where, and neither results nor an error's text.

    asyncio shows these of a task that nobody awaited, and in its debug mode of all that takes long.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass the record without them."""
        text, error = record.getMessage(), record.exc_info[1] if record.exc_info else None
        shown = [record.msg.split("\n")[0].replace("%s", "something").replace("%r", "something")]
        if record.args and isinstance(record.args, tuple):
            numbers = tuple(one for one in record.args if isinstance(one, int | float))
            shown = [shown[0] % numbers] if shown[0].count("%") == len(numbers) else shown
        shown += [f"task={name or coroutine}" for name, coroutine in _NAME.findall(text)]
        if error is not None:
            shown.append(f"error={type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__)).rstrip()}")
        record.msg, record.args, record.exc_info, record.exc_text = " ".join(shown), None, None, None
        return True
