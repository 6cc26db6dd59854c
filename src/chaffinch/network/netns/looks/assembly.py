"""Writing programs in extended BPF, instruction by instruction, with names for the places that are jumped to.

Opcodes: RFC 9669, sections 3 to 5. Registers are numbers: 0 has a call's result, 1 to 5 its arguments, 6 to 9 outlive a
call, 10 points to the end of a stack of 512 bytes.
"""

import struct

import msgspec

_ALU, _ALU64, _JMP = 0x04, 0x07, 0x05
_X = 0x08
"""The second operand is a register, not a constant."""

_SIZES = {1: 0x10, 2: 0x08, 4: 0x00}
_LDX, _ST, _STX = 0x61, 0x62, 0x63
_OPERATIONS = {
    "add": 0x00, "sub": 0x10, "mul": 0x20, "or": 0x40, "and": 0x50, "shl": 0x60, "shr": 0x70, "xor": 0xA0, "mov": 0xB0,
}  # fmt: skip
_CONDITIONS = {"==": 0x10, ">=": 0x30, "!=": 0x50, "<": 0xA0}
_ALWAYS, _CALL, _EXIT = 0x05, 0x85, 0x95
_TO_NETWORK = 0xDC
_LOAD_MAP = 0x18
_OF_A_MAP = 1

FRAME = 10
"""The register that points to the end of the program's own memory."""

Operand = int | str
"""A constant, or a register written as `r7`."""


class _Instruction(msgspec.Struct):
    """One `struct bpf_insn`; `to` is the name of a place whose distance replaces `offset`."""

    code: int
    target: int = 0
    source: int = 0
    offset: int = 0
    constant: int = 0
    to: str = ""


class Assembly:
    """A program as it is written."""

    def __init__(self) -> None:
        self._code: list[_Instruction] = []
        self._places: dict[str, int] = {}

    def place(self, name: str) -> None:
        """What follows is where jumps to `name` lead."""
        if name in self._places:
            raise ValueError(f"the place {name!r} is there twice")
        self._places[name] = len(self._code)

    def alu(self, operation: str, target: int, operand: Operand) -> None:
        """On 32 bits; the upper half of the register becomes 0."""
        self._operate(_ALU | _OPERATIONS[operation], target, operand)

    def alu64(self, operation: str, target: int, operand: Operand) -> None:
        """On the whole register, as addresses need."""
        self._operate(_ALU64 | _OPERATIONS[operation], target, operand)

    def swap(self, target: int, size: int) -> None:
        """Between the machine's order of bytes and the network's; of `size` bytes, the rest becomes 0."""
        self._code.append(_Instruction(_TO_NETWORK, target, constant=size * 8))

    def load(self, target: int, size: int, base: int, offset: int) -> None:
        self._code.append(_Instruction(_LDX | _SIZES[size], target, base, offset))

    def store(self, size: int, base: int, offset: int, operand: Operand) -> None:
        if isinstance(operand, str):
            self._code.append(_Instruction(_STX | _SIZES[size], base, _register(operand), offset))
        else:
            self._code.append(_Instruction(_ST | _SIZES[size], base, 0, offset, operand))

    def jump(self, to: str) -> None:
        self._code.append(_Instruction(_ALWAYS, to=to))

    def branch(self, target: int, condition: str, operand: Operand, to: str) -> None:
        """Jump if it holds of the whole register, without a sign."""
        self._operate(_JMP | _CONDITIONS[condition], target, operand, to)

    def memory(self, target: int, offset: int) -> None:
        """The address of the program's own memory, `offset` (negative) from its end."""
        self.alu64("mov", target, f"r{FRAME}")
        self.alu64("add", target, offset)

    def map(self, target: int, descriptor: int) -> None:
        """The map that the loading process has open as `descriptor`."""
        self._code += [_Instruction(_LOAD_MAP, target, _OF_A_MAP, 0, descriptor), _Instruction(0)]

    def call(self, helper: int) -> None:
        self._code.append(_Instruction(_CALL, constant=helper))

    def leave(self, result: int) -> None:
        self.alu64("mov", 0, result)
        self.end()

    def end(self) -> None:
        """Leave with what register 0 has."""
        self._code.append(_Instruction(_EXIT))

    def _operate(self, code: int, target: int, operand: Operand, to: str = "") -> None:
        if isinstance(operand, str):
            self._code.append(_Instruction(code | _X, target, _register(operand), to=to))
        else:
            self._code.append(_Instruction(code, target, constant=operand, to=to))

    def packed(self) -> bytes:
        """As the kernel takes it. Raises `KeyError` for a jump to a place that is not there."""
        return b"".join(
            struct.pack(
                "=BBhI",
                one.code,
                _registers(one.target, one.source),
                self._places[one.to] - at - 1 if one.to else one.offset,
                one.constant & 0xFFFFFFFF,
            )
            for at, one in enumerate(self._code)
        )


def _register(name: str) -> int:
    return int(name.removeprefix("r"))


def _registers(target: int, source: int) -> int:
    """Two halves of a byte, whose order is the machine's (`struct bpf_insn` has bit fields)."""
    return source << 4 | target if struct.pack("=H", 1)[0] else target << 4 | source
