"""What is said while a run goes on: a view where stderr is a terminal, else lines of what happened."""

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final, Literal

import msgspec

from chaffinch.cli.load import shown
from chaffinch.load.polls import Progress
from chaffinch.load.results import Memory, Run
from chaffinch.load.view import View

MOST_HELD: Final = 100
"""Sentences that are kept while the view has the terminal."""

_ROOT: Final = "chaffinch"


class Following:
    """Follows one run. `quiet`: neither a view nor what is not a warning."""

    def __init__(self, *, quiet: bool, log_format: Literal["text", "json"] = "text") -> None:
        self._quiet = quiet
        self._json = log_format == "json"
        self._view: View | None = None
        self._held: list[str] = []
        self.each: Callable[[Progress], object] | None = None
        """Is given each poll too."""

    def say(self, sentence: str) -> None:
        """A sentence about what happened, now or when the terminal is free."""
        if self._view is None:
            shown.warn(sentence)
        elif len(self._held) < MOST_HELD:
            self._held.append(sentence)

    def show(self, poll: Progress, memory: Memory) -> None:
        """Draw a poll."""
        if self.each is not None:
            self.each(poll)
        if self._view is not None:
            self._view.show(poll, memory)

    @contextlib.contextmanager
    def following(self, about: Run) -> Iterator[None]:
        """While the run goes on."""
        logger = logging.getLogger(_ROOT)
        handler = _Lines(self)
        handler.setLevel(logging.WARNING if self._quiet else logging.INFO)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        if not self._quiet and sys.stderr.isatty():
            self._view = View(about, sys.stderr, terminal=True)
        try:
            with self._view or contextlib.nullcontext():
                yield
        finally:
            self._view = None
            logger.removeHandler(handler)
            for sentence in self._held:
                shown.warn(sentence)

    def log(self, record: logging.LogRecord) -> None:
        """A line of the log. The view shows what the memory guard does by itself, and so does the summary."""
        if self._view is not None:
            return
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        level, message = record.levelname.lower(), record.getMessage()
        if self._json:
            line = msgspec.json.encode({"time": when, "level": level, "message": message}).decode()
        else:
            line = f"{when} {level} {message}"
        shown.tell(f"{shown.safe(line)}\n", err=True)


class _Lines(logging.Handler):
    def __init__(self, to: Following) -> None:
        super().__init__()
        self._to = to

    def emit(self, record: logging.LogRecord) -> None:
        self._to.log(record)
