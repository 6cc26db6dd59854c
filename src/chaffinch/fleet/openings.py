"""What another configuration needs of the machine: had before anything of the fleet is touched, or not at all.

Ports, the raw socket, and in a network of the fleet's own the way out for datagrams.
"""

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from chaffinch.errors import InputError, RunError
from chaffinch.fleet import assemble
from chaffinch.fleet.parts import Draft, Parts
from chaffinch.network.listeners import Listener, open_all

if TYPE_CHECKING:
    from chaffinch.capture.tap import Tap


def opened(draft: Draft, now: Parts) -> Parts:
    """The parts of the fleet to come. What `now` has of it stays, a new raw socket is shut at first, and datagrams may
    leave from the ports of both.

    Raises `InputError` and `RunError` for what cannot be had; then nothing has changed.
    """
    _refuse_page_inside(draft, now)
    if now.namespace is not None:
        assemble.blueprint(draft.config, now.state, draft)  # refuses what does not go together
    try:
        return _opened(draft, now)
    except OSError as error:
        raise RunError(
            f"this machine has no room for what the new configuration needs ({error.strerror}); try again later, or "
            "put it back; nothing was changed"
        ) from None


def _opened(draft: Draft, now: Parts) -> Parts:
    with contextlib.ExitStack() as undo:
        with now.inside():
            tap = _tap(draft, now)
            if tap is not None and tap is not now.tap:
                undo.callback(tap.close)
            listeners = open_all(draft.bound, now.listeners)
            undo.callback(_close, listeners, now.listeners)
        parts = msgspec.structs.replace(
            now,
            config=draft.config,
            stated=draft.stated,
            plan=draft.plan,
            personas=draft.personas,
            listeners=listeners,
            tap=tap,
        )
        _let_out(now, parts)
        undo.pop_all()
    return parts


def settled(now: Parts) -> None:
    """A reload is over: datagrams leave from the ports of `now`, and no others.

    Raises `RunError` and `OSError` when that cannot be done.
    """
    _let_out(now)


def _let_out(*sides: Parts) -> None:
    namespace = sides[0].namespace
    if namespace is not None:
        ports = {one.listen for side in sides for one in side.plan.ports if one.transport == "udp"}
        namespace.permit(tuple(sorted(ports)))


def _tap(draft: Draft, now: Parts) -> "Tap | None":
    if not assemble.needs_tap(draft.groups):
        return None
    if now.tap is not None and draft.config.capture.buffer_bytes == now.config.capture.buffer_bytes:
        return now.tap
    from chaffinch.capture.tap import open_tap

    return open_tap(draft.plan, draft.config.capture.buffer_bytes, shut=True)


def _close(listeners: Iterable[Listener], kept: Iterable[Listener]) -> None:
    there = {one.socket for one in kept}
    for one in listeners:
        if one.socket not in there:
            one.socket.close()


def _refuse_page_inside(draft: Draft, now: Parts) -> None:
    """Raises `InputError` for a metrics page that nobody of the owner's network would reach."""
    group = assemble.page_with_decoys(draft.config, draft.groups)
    if now.namespace is not None and now.page is None and group:
        raise InputError(
            f"the metrics page shares the group {group!r} with decoys, in the fleet's own network, and can be bound on "
            "the owner's when the fleet starts alone: put it back, or restart the fleet with `chaffinch stop` and "
            "`chaffinch up`; nothing was changed"
        )
