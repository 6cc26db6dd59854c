"""Identifiers of sessions: no two the same, over processes, restarts and forks."""

import os

_session_prefix = ""
_session_count = 0


def new_session_id() -> str:
    """16 hex digits: ten that differ between processes and restarts, six that count."""
    global _session_prefix, _session_count  # noqa: PLW0603
    if _session_count % 0x1000000 == 0:
        _session_prefix, _session_count = os.urandom(5).hex(), 0
    _session_count += 1
    return f"{_session_prefix}{_session_count - 1:06x}"


def _restart_session_ids() -> None:
    global _session_count  # noqa: PLW0603
    _session_count = 0


os.register_at_fork(after_in_child=_restart_session_ids)  # a child counts under a prefix of its own
