"""What a worker forks ends with its group: each group leads a process group of its own, whose rest is swept up."""

import contextlib
import os
import signal


def lead() -> int:
    """In a group's process: lead a process group; the supervisor's number. As it is not the one that a terminal talks
    to, a terminal that stops background writers (`stty tostop`) must not stop it.
    """
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    return os.getppid()


def end_alone(supervisor: int) -> None:
    """In a group's process, as it ends: when no supervisor is left to sweep up, nothing of the group stays."""
    if os.getppid() != supervisor:
        os.killpg(0, signal.SIGKILL)


def ended_child() -> int:
    """The process of a child that has ended and was not waited for: its number is still its own. 0: none."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return 0
    return found.si_pid if found else 0


def kill_children(leader: int) -> None:
    """Kill what is left of a group's process group, before its leader was waited for."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
