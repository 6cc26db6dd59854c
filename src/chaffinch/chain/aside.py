"""Long calls that let short ones go first."""

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

NICENESS: Final = 10
"""A tenth of the processor when others want all of it: a merge still ends while a server is busy."""


def aside(call: Callable[[], T]) -> T:
    """What `call` returns or raises, run on a thread of less priority, as are the threads that it starts.

    The thread is its own: without a privilege, priority is never got back.
    """
    returned: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            returned.append(call())
        except BaseException as error:  # noqa: BLE001 - the boundary of a thread: its caller gets what was raised
            raised.append(error)

    thread = threading.Thread(target=run, name="chain aside")
    try:
        thread.start()
    except RuntimeError:  # no thread to be had
        return call()
    thread.join()
    if raised:
        raise raised.pop()
    return returned.pop()
