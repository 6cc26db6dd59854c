"""Faults of ours in the log: where, and of which kind, and never with what somebody wrote."""

import logging
import secrets
import traceback


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
