"""MULTI and EXEC: a queue of requests, bounded, run as one."""

from chaffinch.decoys.redis.client import Client, command
from chaffinch.decoys.redis.dispatch import call, find
from chaffinch.decoys.redis.protocol import OK, array
from chaffinch.decoys.redis.store import CommandError


@command("multi")
def multi(client: Client, args: list[bytes]) -> bytes:
    if client.queue is not None:
        raise CommandError(b"ERR MULTI calls can not be nested")
    client.queue, client.queued_bytes, client.dirty = [], 0, False
    return OK


@command("exec")
def exec_(client: Client, args: list[bytes]) -> bytes:
    if client.queue is None:
        raise CommandError(b"ERR EXEC without MULTI")
    queue, dirty = client.queue, client.dirty
    client.queue = None
    if dirty:
        raise CommandError(b"EXECABORT Transaction discarded because of previous errors.")
    return array(call(client, find(request[0].lower(), request), request) for request in queue)


@command("discard")
def discard(client: Client, args: list[bytes]) -> bytes:
    if client.queue is None:
        raise CommandError(b"ERR DISCARD without MULTI")
    client.queue = None
    return OK


@command("watch")
def watch(client: Client, args: list[bytes]) -> bytes:
    if client.queue is not None:
        raise CommandError(b"ERR WATCH inside MULTI is not allowed")
    return OK


@command("unwatch")
def unwatch(client: Client, args: list[bytes]) -> bytes:
    return OK
