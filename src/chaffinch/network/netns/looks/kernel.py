"""Programs and maps in the kernel, by bpf(2), for which Python and its libraries have no call."""

import contextlib
import ctypes
import os
import platform
import struct
from typing import NamedTuple

_CALLS = {"x86_64": 321, "ppc64le": 361, "s390x": 351, "i686": 357, "armv7l": 386}
_CALL_OF_OTHERS = 280
"""The number of bpf(2): asm/unistd.h of each machine, and asm-generic/unistd.h, which arm64, riscv and all later ones
have.
"""

_MAP_CREATE, _PROGRAM_LOAD, _PROGRAM_RUN = 0, 5, 10
_ARRAY = 2
_CLASSIFIER = 3
_INSTRUCTION_BYTES = 8
_LICENCE = b"MIT"
_NAME_BYTES = 16
_REPORT_BYTES = 1 << 16
"""Commands, types and sizes: linux/bpf.h."""


def array(entries: int) -> int:
    """A map of as many 32-bit numbers, all 0, as a descriptor. Raises `OSError` where the kernel has none."""
    return _bpf(_MAP_CREATE, struct.pack("=IIIII", _ARRAY, 4, 4, entries, 0))


def load(program: bytes, name: str) -> int:
    """A program for the packets of a device, as a descriptor: what holds it is whatever it is attached to.

    Raises `OSError` with the last line of what the kernel's verifier says against it.
    """
    try:
        return _load(program, name, None)
    except OSError as refused:
        report = ctypes.create_string_buffer(_REPORT_BYTES)
        with contextlib.suppress(OSError):
            return _load(program, name, report)  # again, as only a refusal is worth its report
        lines = report.value.decode(errors="replace").splitlines()
        said = [line for line in lines if line and not line.startswith("processed ")]
        raise OSError(refused.errno, said[-1] if said else str(refused.strerror)) from None


def _load(program: bytes, name: str, report: "ctypes.Array[ctypes.c_char] | None") -> int:
    code, licence = ctypes.create_string_buffer(program), ctypes.create_string_buffer(_LICENCE)
    told = (1, len(report), ctypes.addressof(report)) if report else (0, 0, 0)
    head = (len(program) // _INSTRUCTION_BYTES, ctypes.addressof(code), ctypes.addressof(licence))
    short = name.encode()[: _NAME_BYTES - 1]
    return _bpf(_PROGRAM_LOAD, struct.pack(f"=IIQQIIQII{_NAME_BYTES}s", _CLASSIFIER, *head, *told, 0, 0, short))


class Ran(NamedTuple):
    """What a program returned for a frame, what it made of it, and what one run took."""

    returned: int
    frame: bytes
    nanoseconds: int


def run(descriptor: int, frame: bytes, repeats: int = 1) -> Ran:
    """Run a program on a frame, each time on what the run before made: for tests and bench, not for traffic."""
    given, made = ctypes.create_string_buffer(frame, len(frame)), ctypes.create_string_buffer(len(frame) + 256)
    about = struct.pack(
        "=IIIIQQII", descriptor, 0, len(frame), len(made), ctypes.addressof(given), ctypes.addressof(made), repeats, 0
    )
    answer = ctypes.create_string_buffer(about, len(about))
    _call(_PROGRAM_RUN, answer)
    _, returned, _, size, _, _, _, nanoseconds = struct.unpack_from("=IIIIQQII", answer.raw)
    return Ran(returned, made.raw[:size], nanoseconds)


def _bpf(command: int, about: bytes) -> int:
    return _call(command, ctypes.create_string_buffer(about, len(about)))


def _call(command: int, about: "ctypes.Array[ctypes.c_char]") -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    number = _CALLS.get(platform.machine(), _CALL_OF_OTHERS)
    done = int(libc.syscall(number, command, ctypes.byref(about), len(about)))
    if done < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return done
