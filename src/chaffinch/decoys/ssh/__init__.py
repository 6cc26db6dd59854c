"""The ssh decoy: OpenSSH's server up to the shell.

A connection begins in `preamble`, a pure core that answers as sshd does before encryption. Only a client that goes on
to a key exchange brings in asyncssh (`connection`), which runs the programs of `programs` on its channels.

Options: `methods` and `fail_delay`, which `login.Login` reads.
"""

import asyncio
import hashlib
import importlib
import os
from types import ModuleType

from chaffinch.decoys.registry import service
from chaffinch.decoys.session import Session
from chaffinch.decoys.ssh.algorithms import hassh, release
from chaffinch.decoys.ssh.preamble import Close, Offered, Opening, Plain, Refused, Say, identify
from chaffinch.decoys.ssh.wire import packet
from chaffinch.events import Fingerprint, Probe, printable

LOGIN_GRACE_SECONDS = 120.0
"""LoginGraceTime of sshd_config(5): who is not in by then is cut off."""

_PROBE_BYTES = 256


def _handover() -> ModuleType:
    """Import what stands on asyncssh.

    asyncssh asks for liboqs, which `ctypes.util.find_library` looks for by running a C compiler and a linker with
    temporary files: a decoy starts no program and can write none, and `sntrup` does what the library would.
    """
    import ctypes.util

    look = ctypes.util.find_library
    ctypes.util.find_library = lambda name: None
    try:
        return importlib.import_module("chaffinch.decoys.ssh.handover")
    finally:
        ctypes.util.find_library = look


def refuse(session: Session) -> bytes:
    """`MaxStartups` reached: in place of the version line, so that clients show it; 7.7 closes without a word."""
    major = session.service.version.partition(".")[0]
    return b"Exceeded MaxStartups\r\n" if not major.isdigit() or int(major) >= 8 else b""


@service("ssh", tcp=22, idle=900.0, total=4 * 3600.0, bytes_in=64 << 20, refuse=refuse)
async def serve(session: Session) -> None:
    """One connection, from the version line to the close."""
    session.deadline = session.opened + LOGIN_GRACE_SECONDS
    version = version_line(session)
    session.write(version + b"\r\n")
    client = await _identification(session)
    if client is None:
        return
    session.record(Fingerprint("client", printable(client, _PROBE_BYTES)))
    offered = release(session.service.version)
    kexinit = offered.offer.encode(os.urandom(16))
    session.write(packet(kexinit))
    await _packets(session, Opening(offered, kexinit, client, version))


def version_line(session: Session) -> bytes:
    """The identification of the product that the persona claims, without its line end."""
    return f"SSH-2.0-{session.service.product}_{session.service.version}".encode()


async def _identification(session: Session) -> bytes | None:
    """The client's identification; None when it has none that OpenSSH would take, which it was told."""
    data = b""
    found = None
    while found is None:
        more = await session.read()
        if not more:
            if data:
                session.record(Probe(printable(data, _PROBE_BYTES), "no identification"))
            return None
        data += more
        found = identify(data)
    if isinstance(found, Refused):
        session.record(Probe(printable(data, _PROBE_BYTES), "no identification"))
        session.write(found.answer)
        return None
    session.unread(data[found.size :])
    return found.line


async def _packets(session: Session, opening: Opening) -> None:
    """Packets until the client's KEXINIT, with which asyncssh comes in."""
    plain = Plain(opening.release.offer)
    sent = 1
    while data := await session.read():
        steps = plain.feed(data)
        for step in steps:
            if isinstance(step, Offered):
                algorithms = hassh(step.client)
                digest = hashlib.md5(algorithms.encode("latin-1"), usedforsecurity=False).hexdigest()
                session.record(Fingerprint("hassh", digest, printable(algorithms)))
                if step.agreement is not None:
                    # The import takes a sixth of a second the first time: in a thread, so that no other session waits.
                    handover = await asyncio.to_thread(_handover)
                    await handover.converse(session, opening, plain, step, steps, sent)
                return
            if isinstance(step, Close):
                session.record(Probe(printable(data, _PROBE_BYTES), "no key exchange"))
                session.write(packet(step.payload) if step.payload else b"")
                return
            if isinstance(step, Say):
                session.write(packet(step.payload))
                sent += 1
        session.hold(plain.held)
