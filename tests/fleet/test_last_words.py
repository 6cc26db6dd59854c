"""Where a process was when it crashed or hung, out of what the interpreter wrote."""

import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from chaffinch.fleet.last_words import LastWords, place

WRITTEN = """
import os, signal, sys, threading, time
from chaffinch.fleet.last_words import ASK, LastWords
one = LastWords("x")
one.listen()
threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
def here():
    {harm}
here()
sys.stdout.write(one.take())
"""


def written(harm: str) -> str:
    command = [sys.executable, "-c", WRITTEN.format(harm=harm)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_thread_that_was_asked_says_where_it_is() -> None:
    text = written("os.kill(os.getpid(), ASK)")
    assert text.count("most recent call first") == 2
    assert place(text).endswith(" in here")


def test_what_was_taken_is_forgotten() -> None:
    assert written("os.kill(os.getpid(), ASK); first = one.take(); assert first; time.sleep(0)") == ""
    again = written("os.kill(os.getpid(), ASK); one.take(); os.kill(os.getpid(), ASK)")
    assert not again.startswith("\0")
    assert place(again).endswith(" in here")


def test_nothing_written_is_no_place() -> None:
    one = LastWords("x")
    assert (one.take(), place("")) == ("", "")
    one.close()


@given(st.text())
def test_whatever_stands_there_is_read(text: str) -> None:
    said = place(text)
    assert said == "" or " in " in said


@given(st.text(alphabet=st.characters(exclude_characters='"\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029'), min_size=1))
def test_any_file_is_named_by_its_last_part(name: str) -> None:
    text = (
        f'Fatal Python error: Aborted\n\nCurrent thread 0x1 (most recent call first):\n  File "{name}", line 7 in run\n'
    )
    assert place(text) == f"{os.path.basename(name)}:7 in run"
