"""Classic BPF, in which the kernel is told which packets are wanted: its instructions, and what our programs have in
common, which is to decide about an address.

Layout, opcodes and ancillary offsets: Linux `Documentation/networking/filter.rst` and `include/uapi/linux/filter.h`.
"""

import struct
from collections.abc import Sequence
from typing import Final

import msgspec

from chaffinch.network.addresses import Prefix

MOST_INSTRUCTIONS: Final = 4096

LD_WORD, LD_HALF, LD_BYTE, LD_MEMORY = 0x20, 0x28, 0x30, 0x60
AT_X_HALF, AT_X_BYTE = 0x48, 0x50
LDX_HEADER: Final = 0xB1
"""X = 4 * (byte & 15): the length of an IPv4 header."""
ST, TAX, RET = 0x02, 0x07, 0x06
JUMP, JEQ, JGT, JGE, JSET = 0x05, 0x15, 0x25, 0x35, 0x45
AND, XOR_X = 0x54, 0xAC
ALU: Final = {"add": 0x04, "mul": 0x24, "and": AND, "shr": 0x74, "xor": 0xA4}

NETWORK: Final = 0xFFF00000
"""`SKF_NET_OFF`: where the network header begins, whatever comes before it."""

ADDRESS: Final = 0
"""The word of scratch memory in which the address lies that is decided about."""

_FARTHEST: Final = 255
"""How many instructions a conditional jump reaches over; an unconditional one reaches any."""


class Instruction(msgspec.Struct, frozen=True):
    """One `struct sock_filter`."""

    code: int
    operand: int
    if_true: int = 0
    if_false: int = 0

    def pack(self) -> bytes:
        return struct.pack("=HBBI", self.code, self.if_true, self.if_false, self.operand)


Code = list[Instruction]


def whole(code: Code) -> tuple[Instruction, ...]:
    """A program that is done. Raises `ValueError` when it is longer than the kernel takes."""
    if len(code) > MOST_INSTRUCTIONS:
        raise ValueError(f"{len(code)} instructions are more than the kernel's {MOST_INSTRUCTIONS}")
    return tuple(code)


def when(test: int, operand: int, then: Code) -> Code:
    """Do `then` where the test holds; go on behind it where it does not, or where it does not return."""
    if len(then) <= _FARTHEST:
        return [Instruction(test, operand, 0, len(then)), *then]
    return [Instruction(test, operand, 1, 0), Instruction(JUMP, len(then)), *then]


def unless(test: int, operand: int, then: Code) -> Code:
    """Do `then` where the test does not hold; otherwise as `when`."""
    if len(then) <= _FARTHEST:
        return [Instruction(test, operand, len(then), 0), *then]
    return [Instruction(test, operand, 0, 1), Instruction(JUMP, len(then)), *then]


def unless_in(prefixes: Sequence[Prefix], otherwise: Code) -> Code:
    """Do `otherwise` where the address is in no prefix."""
    code = otherwise
    for prefix in reversed(prefixes):
        masked = [Instruction(LD_MEMORY, ADDRESS), Instruction(AND, prefix.mask)]
        code = [*masked, *unless(JEQ, prefix.first, code)]
    return code


def when_one_of(addresses: Sequence[int], then: Code) -> Code:
    """Do `then`, which returns, where the address is one of these. It is loaded already."""
    return [step for address in addresses for step in when(JEQ, address, then)]


def bucket(steps: Sequence[tuple[str, int]]) -> Code:
    """Turn the address, which is loaded, into its bucket.

    Steps are (operation, constant) with the operations of `ALU` and `shr_xor` (A ^= A >> n), as `personas.placement`
    has them.
    """
    code: Code = []
    for operation, constant in steps:
        if operation == "shr_xor":
            code += [Instruction(TAX, 0), Instruction(ALU["shr"], constant), Instruction(XOR_X, 0)]
        else:
            code.append(Instruction(ALU[operation], constant))
    return code


def in_ranges(ranges: Sequence[tuple[int, int]], inside: Code, outside: Code) -> Code:
    """Do `inside` where the bucket, which is loaded, lies in one of the half-open ranges, else `outside`; both return.

    Ranges are sorted, so that below one's start means in none.
    """
    code: Code = []
    for low, high in ranges:
        code += [*unless(JGE, low, outside), *unless(JGE, high, inside)]
    return [*code, *outside]
