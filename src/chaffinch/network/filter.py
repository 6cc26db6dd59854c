"""The classic BPF programs of a port: one keeps it silent, and passes packets only to addresses whose persona runs the
service; one chooses among the port's listeners the one that has the address's stack.

A host's archetype is a bucket that 32-bit arithmetic picks from its address (`personas.placement`), so that the
kernel can decide what Python decides, from the same steps. Layout and opcodes: Linux
`Documentation/networking/filter.rst`.
"""

import socket
import struct
from array import array
from collections.abc import Callable, Sequence

import msgspec

from chaffinch.network.addresses import Prefix

_LD_ABS, _LD_MEM, _ST, _TAX = 0x20, 0x60, 0x02, 0x07
_JEQ, _JGE, _RET = 0x15, 0x35, 0x06
_ALU = {"add": 0x04, "mul": 0x24, "and": 0x54, "shl": 0x64, "shr": 0x74, "xor": 0xA4}
_XOR_X = 0xAC
_DESTINATION = 0xFFF00000 + 16
"""`SKF_NET_OFF` plus the destination address's place in an IPv4 header: a socket's filter sees from the TCP header
on.
"""
_PASS, _DROP = 0xFFFFFFFF, 0
_SO_ATTACH_FILTER = 26
_SO_ATTACH_REUSEPORT_CBPF = 51
MOST_INSTRUCTIONS = 4096


class Instruction(msgspec.Struct, frozen=True):
    """One `struct sock_filter`."""

    code: int
    operand: int
    if_true: int = 0
    if_false: int = 0

    def pack(self) -> bytes:
        return struct.pack("=HBBI", self.code, self.if_true, self.if_false, self.operand)


NOTHING = (Instruction(_RET, _DROP),)
"""The program that passes no packet."""


def program(
    prefixes: Sequence[Prefix],
    steps: Sequence[tuple[str, int]],
    ranges: Sequence[tuple[int, int]],
    excluded: Sequence[int] = (),
) -> tuple[Instruction, ...]:
    """The program for one service.

    `excluded` are addresses within the prefixes that are no hosts. `steps` turn an address into its bucket:
    (operation, constant) with the operations of `_ALU` and `shr_xor` (A ^= A >> n). `ranges` are the half-open, sorted
    bucket ranges that run the service. Raises `ValueError` when it would be longer than the kernel takes.
    """
    code = [Instruction(_LD_ABS, _DESTINATION), Instruction(_ST, 0)]
    for address in excluded:
        code += [Instruction(_JEQ, address, 0, 1), Instruction(_RET, _DROP)]
    code += _in_prefixes(prefixes)
    code.append(Instruction(_LD_MEM, 0))
    for operation, constant in steps:
        code += _step(operation, constant)
    code += _in_ranges(ranges)
    if len(code) > MOST_INSTRUCTIONS:
        raise ValueError(f"{len(code)} instructions are more than the kernel's {MOST_INSTRUCTIONS}")
    return tuple(code)


def chooser(steps: Sequence[tuple[str, int]], shares: Sequence[Sequence[tuple[int, int]]]) -> tuple[Instruction, ...]:
    """The program that returns the number of the share whose ranges hold an address's bucket.

    Shares do not overlap. An address in none of them gets the number of the range below its bucket, or 0: the filter
    of that listener drops it.
    """
    code = [Instruction(_LD_ABS, _DESTINATION)]
    for operation, constant in steps:
        code += _step(operation, constant)
    starts = sorted((low, number) for number, ranges in enumerate(shares) for low, _ in ranges)
    for low, number in reversed(starts):
        code += [Instruction(_JGE, low, 0, 1), Instruction(_RET, number)]
    return (*code, Instruction(_RET, 0))


def _in_prefixes(prefixes: Sequence[Prefix]) -> list[Instruction]:
    """Drop what is in no prefix. Each block masks the address and compares it; a match jumps over the rest of the
    blocks.
    """
    code: list[Instruction] = []
    for prefix in reversed(prefixes):
        to_end = len(code) + 1  # over the blocks after this one and the final drop
        block = [Instruction(_LD_MEM, 0), Instruction(_ALU["and"], prefix.mask)]
        if to_end <= 255:
            block.append(Instruction(_JEQ, prefix.first, to_end, 0))
        else:  # a conditional jump reaches 255 instructions; an unconditional one any distance
            block += [Instruction(_JEQ, prefix.first, 0, 1), Instruction(0x05, to_end)]
        code = block + code
    return [*code, Instruction(_RET, _DROP)]


def _step(operation: str, constant: int) -> list[Instruction]:
    if operation == "shr_xor":
        return [Instruction(_TAX, 0), Instruction(_ALU["shr"], constant), Instruction(_XOR_X, 0)]
    return [Instruction(_ALU[operation], constant)]


def _in_ranges(ranges: Sequence[tuple[int, int]]) -> list[Instruction]:
    """Pass what is in a range. They are sorted, so that below one's start means in none."""
    code: list[Instruction] = []
    for low, high in ranges:
        code += [
            Instruction(_JGE, low, 1, 0),
            Instruction(_RET, _DROP),
            Instruction(_JGE, high, 1, 0),
            Instruction(_RET, _PASS),
        ]
    return [*code, Instruction(_RET, _DROP)]


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
        _ALU["add"]: lambda k: a + k,
        _ALU["mul"]: lambda k: a * k,
        _ALU["and"]: lambda k: a & k,
        _ALU["shl"]: lambda k: a << k,
        _ALU["shr"]: lambda k: a >> k,
        _ALU["xor"]: lambda k: a ^ k,
        _XOR_X: lambda _: a ^ x,
        _LD_ABS: lambda _: address,
        _LD_MEM: lambda k: memory[k],
    }
    while True:
        step = instructions[at]
        at += 1
        if step.code == _RET:
            return step.operand
        if step.code == 0x05:
            at += step.operand
        elif step.code in (_JEQ, _JGE):
            taken = a == step.operand if step.code == _JEQ else a >= step.operand
            at += step.if_true if taken else step.if_false
        elif step.code == _TAX:
            x = a
        elif step.code == _ST:
            memory[step.operand] = a
        else:
            a = alu[step.code](step.operand) & 0xFFFFFFFF
