"""The classic BPF program that keeps ports silent: it passes packets only to addresses whose persona runs the
service.

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
MOST_INSTRUCTIONS = 4096


class Instruction(msgspec.Struct, frozen=True):
    """One `struct sock_filter`."""

    code: int
    operand: int
    if_true: int = 0
    if_false: int = 0

    def pack(self) -> bytes:
        return struct.pack("=HBBI", self.code, self.if_true, self.if_false, self.operand)


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
    """Put the program on a socket before it listens. False where this process may not (the kernel wants a
    capability).
    """
    packed = array("B", b"".join(instruction.pack() for instruction in instructions))
    address, _ = packed.buffer_info()  # `struct sock_fprog` holds a pointer to the instructions
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(instructions), address))
    except PermissionError:
        return False
    return True


def run(instructions: Sequence[Instruction], address: int) -> bool:
    """What the kernel would decide about a packet to `address`: for `doctor` and the tests, not for traffic."""
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
            return step.operand != _DROP
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
