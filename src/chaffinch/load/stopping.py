"""SIGINT and SIGTERM while a run goes on: the first one stops it in order, the second one ends it at once."""

import signal
from types import FrameType, TracebackType
from typing import Final, Self

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Counts the signals that came; a context manager, for the main thread. A third one does what it did before."""

    def __init__(self) -> None:
        self.signals = 0
        self.first = 0
        """The number of the first that came; 0 while none has."""

    def __enter__(self) -> Self:
        self._before = {one: signal.signal(one, self._take) for one in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self.signals += 1
        self.first = self.first or number
        if self.signals > 1:
            self._restore()

    def _restore(self) -> None:
        for one, handler in self._before.items():
            signal.signal(one, handler)
