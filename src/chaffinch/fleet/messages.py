"""What a group and its supervisor say to each other: one datagram each on a socket pair, tagged structs as
MessagePack.
"""

import socket

import msgspec

from chaffinch.config import Config
from chaffinch.fleet.control import Deed
from chaffinch.fleet.workers import Worker
from chaffinch.network.plan import PortPlan

MOST_SOCKETS = 253
"""What the kernel passes with one message (`SCM_MAX_FD`, unix(7))."""

MOST_BYTES = 192 << 10
"""The largest message: a datagram on a UNIX socket must fit its send buffer."""


def channel() -> tuple[socket.socket, socket.socket]:
    """Both ends of a channel. Raises `OSError` when there is no descriptor left."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_BYTES * 2)
    return ends


class Message(msgspec.Struct, frozen=True, tag_field="say"):
    """Anything that goes over the channel."""


class WorkerState(msgspec.Struct, frozen=True):
    """One worker as `status` shows it. `state`: `starting`, `running`, `stopping`, `waiting` (to start again),
    `failed`, `stopped`.
    """

    name: str
    state: str
    since: float
    restarts: int = 0
    lag: int = 0
    error: str = ""


class Beat(Message, tag="beat", frozen=True):
    """A group's word, once a second: its workers, its memory, and a metrics snapshot."""

    group: str
    workers: tuple[WorkerState, ...]
    pss_bytes: int
    private_bytes: int
    shared_bytes: int
    """RSS beyond what is private."""
    metrics: bytes
    cpu_seconds: float = 0.0
    """Processor time that the process has used, in user and system mode."""
    confined: str = ""
    given_up: tuple[str, ...] = ()
    """What its guard has given up so that it stays within its share, in order."""


class AskMetrics(Message, tag="ask_metrics", frozen=True):
    """A group wants the merged snapshot of all groups."""


class Metrics(Message, tag="metrics", frozen=True):
    """The merged snapshot of all groups."""

    snapshot: bytes


class Stop(Message, tag="stop", frozen=True):
    """The group is to drain and end."""


class Act(Message, tag="act", frozen=True):
    """Workers of the group are to start, stop, or begin anew; the others go on."""

    do: Deed
    workers: tuple[str, ...]


class Share(Message, tag="share", frozen=True):
    """The group may hold this much from now on, in bytes of private memory; 0 is no bound."""

    share_bytes: int


class Adopt(Message, tag="adopt", frozen=True):
    """Another configuration holds. The group has `workers` from now on, those that are new to it stopped at first.

    The datagram carries the sockets of the ports in `passed`, in that order; the group has those of the others.
    """

    config: Config
    workers: tuple[Worker, ...]
    ports: tuple[PortPlan, ...]
    silent: tuple[bool, ...]
    passed: tuple[PortPlan, ...]


class LetGo(Message, tag="let_go", frozen=True):
    """What was adopted stays: the group is to close the sockets that it needs no more, and forget its old workers."""


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Beat | AskMetrics | Metrics | Stop | Act | Share | Adopt | LetGo).decode
"""Both ends are ours, and of one version: what does not decode is a fault, and raises."""
