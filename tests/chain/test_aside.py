"""Long calls that let short ones go first."""

import os
import threading

import pytest

from chaffinch.chain.aside import NICENESS, aside


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_a_call_and_the_threads_it_starts_have_less_priority_and_the_caller_keeps_its_own() -> None:
    before = niceness()

    def call() -> list[int]:
        found = [niceness()]
        child = threading.Thread(target=lambda: found.append(niceness()))
        child.start()
        child.join()
        return found

    assert aside(call) == [max(before, NICENESS)] * 2
    assert niceness() == before


def test_what_a_call_raises_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        aside(lambda: 1 // 0)


def test_without_another_thread_the_caller_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert aside(threading.get_ident) == threading.get_ident()
