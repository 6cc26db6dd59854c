"""The pieces of the kernel's programs decide as Python does, and their jumps reach as far as they have to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.network import bpf
from chaffinch.network.bpf import Instruction
from chaffinch.network.filter import returned
from chaffinch.personas.placement import Mixer

LOADED = Instruction(bpf.LD_WORD, 0)
YES, NO = [Instruction(bpf.RET, 1)], [Instruction(bpf.RET, 0)]
words = st.integers(0, 0xFFFFFFFF)


@st.composite
def half_open(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Sorted ranges that do not touch."""
    ends = sorted(draw(st.sets(st.integers(0, 200), max_size=20)))
    return list(zip(ends[::2], ends[1::2], strict=False))


@given(half_open(), st.integers(0, 201))
def test_a_number_lies_in_a_range_or_in_none(ranges: list[tuple[int, int]], number: int) -> None:
    code = [LOADED, *bpf.in_ranges(ranges, inside=YES, outside=NO)]
    assert returned(code, number) == any(low <= number < high for low, high in ranges)


@given(st.binary(max_size=8), words)
def test_a_bucket_is_the_one_that_personas_are_placed_by(seed: bytes, address: int) -> None:
    mixer = Mixer.of(seed)
    code = [LOADED, *bpf.bucket(mixer.steps), *bpf.when(bpf.JEQ, mixer.bucket(address), YES), *NO]
    assert returned(code, address)


@given(st.lists(words, max_size=20), words)
def test_an_address_is_one_of_some(addresses: list[int], address: int) -> None:
    for asked in (address, *addresses[:1]):
        assert returned([LOADED, *bpf.when_one_of(addresses, YES), *NO], asked) == (asked in addresses)


@pytest.mark.parametrize("length", [1, 254, 255, 256, 4000])
@pytest.mark.parametrize("number", [6, 7, 8])
def test_what_is_done_on_a_condition_may_be_of_any_length(length: int, number: int) -> None:
    """A conditional jump reaches over 255 instructions."""
    then = [*[Instruction(bpf.ALU["add"], 0)] * (length - 1), *YES]
    for step in (*(when := bpf.when(bpf.JEQ, 7, then)), *(unless := bpf.unless(bpf.JEQ, 7, then))):
        assert step.pack()
    assert returned([LOADED, *when, *NO], number) == (number == 7)
    assert returned([LOADED, *unless, *NO], number) == (number != 7)


def test_a_program_longer_than_the_kernel_takes_is_refused() -> None:
    assert len(bpf.whole(NO * bpf.MOST_INSTRUCTIONS)) == bpf.MOST_INSTRUCTIONS
    with pytest.raises(ValueError, match="4097 instructions are more than the kernel's 4096"):
        bpf.whole(NO * (bpf.MOST_INSTRUCTIONS + 1))
