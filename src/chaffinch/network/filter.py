"""The classic BPF programs of a port: one keeps it silent, and passes packets only to addresses whose persona runs the
service; one chooses among the port's listeners the one that has the address's stack.

A host's archetype is a bucket that 32-bit arithmetic picks from its address (`personas.placement`), so that the
kernel can decide what Python decides, from the same steps.
"""

import socket
import struct
from array import array
from collections.abc import Callable, Sequence

from chaffinch.network import bpf
from chaffinch.network.addresses import Prefix
from chaffinch.network.bpf import Instruction

__all__ = [
    "NOTHING",
    "Instruction",
    "attach",
    "attach_chooser",
    "chooser",
    "program",
    "returned",
    "run",
    "takes_chooser",
]

_DESTINATION = bpf.NETWORK + 16
"""The destination address in an IPv4 header: a socket's filter sees from the TCP header on."""
_PASS, _DROP = 0xFFFFFFFF, 0
_SO_ATTACH_FILTER = 26
_SO_ATTACH_REUSEPORT_CBPF = 51


NOTHING = (Instruction(bpf.RET, _DROP),)
"""The program that passes no packet."""


def program(
    prefixes: Sequence[Prefix],
    steps: Sequence[tuple[str, int]],
    ranges: Sequence[tuple[int, int]],
    excluded: Sequence[int] = (),
) -> tuple[Instruction, ...]:
    """The program for one service.

    `excluded` are addresses within the prefixes that are no hosts. `steps` turn an address into its bucket
    (`bpf.bucket`). `ranges` are the half-open, sorted bucket ranges that run the service. Raises `ValueError` when it
    would be longer than the kernel takes.
    """
    passed, dropped = [Instruction(bpf.RET, _PASS)], [Instruction(bpf.RET, _DROP)]
    return bpf.whole(
        [
            Instruction(bpf.LD_WORD, _DESTINATION),
            Instruction(bpf.ST, bpf.ADDRESS),
            *bpf.when_one_of(excluded, dropped),
            *bpf.unless_in(prefixes, dropped),
            Instruction(bpf.LD_MEMORY, bpf.ADDRESS),
            *bpf.bucket(steps),
            *bpf.in_ranges(ranges, passed, dropped),
        ]
    )


def chooser(steps: Sequence[tuple[str, int]], shares: Sequence[Sequence[tuple[int, int]]]) -> tuple[Instruction, ...]:
    """The program that returns the number of the share whose ranges hold an address's bucket.

    Shares do not overlap. An address in none of them gets the number of the range below its bucket, or 0: the filter
    of that listener drops it.
    """
    code = [Instruction(bpf.LD_WORD, _DESTINATION), *bpf.bucket(steps)]
    starts = sorted((low, number) for number, ranges in enumerate(shares) for low, _ in ranges)
    for low, number in reversed(starts):
        code += bpf.when(bpf.JGE, low, [Instruction(bpf.RET, number)])
    return (*code, Instruction(bpf.RET, 0))


def attach(sock: socket.socket, instructions: Sequence[Instruction]) -> bool:
    """Put a filter on a socket before it listens. False where this process may not (the kernel wants a capability)."""
    return _attach(sock, _SO_ATTACH_FILTER, instructions)


def attach_chooser(sock: socket.socket, instructions: Sequence[Instruction]) -> bool:
    """Put a chooser on the first socket of a port, which shares it (`SO_REUSEPORT`), before it is bound or listens
    again. False as with `attach`.
    """
    return _attach(sock, _SO_ATTACH_REUSEPORT_CBPF, instructions)


def takes_chooser(instructions: Sequence[Instruction]) -> bool:
    """Whether this process may choose among listeners."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return attach_chooser(sock, instructions)


def _attach(sock: socket.socket, option: int, instructions: Sequence[Instruction]) -> bool:
    packed = array("B", b"".join(instruction.pack() for instruction in instructions))
    address, _ = packed.buffer_info()  # `struct sock_fprog` holds a pointer to the instructions
    try:
        sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("HP", len(instructions), address))
    except PermissionError:
        return False
    return True


def run(instructions: Sequence[Instruction], address: int) -> bool:
    """Whether the kernel would pass a packet to `address`: for the tests, not for traffic."""
    return returned(instructions, address) != _DROP


def returned(instructions: Sequence[Instruction], address: int) -> int:
    """What a program returns in the kernel for a packet to `address`: for the tests, not for traffic."""
    a = x = at = 0
    memory = [0] * 16
    alu: dict[int, Callable[[int], int]] = {
        bpf.ALU["add"]: lambda k: a + k,
        bpf.ALU["mul"]: lambda k: a * k,
        bpf.ALU["and"]: lambda k: a & k,
        bpf.ALU["shr"]: lambda k: a >> k,
        bpf.ALU["xor"]: lambda k: a ^ k,
        bpf.XOR_X: lambda _: a ^ x,
        bpf.LD_WORD: lambda _: address,
        bpf.LD_MEMORY: lambda k: memory[k],
    }
    while True:
        step = instructions[at]
        at += 1
        if step.code == bpf.RET:
            return step.operand
        if step.code == bpf.JUMP:
            at += step.operand
        elif step.code in (bpf.JEQ, bpf.JGE):
            taken = a == step.operand if step.code == bpf.JEQ else a >= step.operand
            at += step.if_true if taken else step.if_false
        elif step.code == bpf.TAX:
            x = a
        elif step.code == bpf.ST:
            memory[step.operand] = a
        else:
            a = alu[step.code](step.operand) & 0xFFFFFFFF
