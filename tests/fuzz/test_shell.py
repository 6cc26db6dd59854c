"""Any line at all: the shell answers, within its bounds of time, steps and output."""

import asyncio
import contextlib
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaffinch.decoys.overlay import Overlays
from chaffinch.decoys.shell import Shell, parser, syntax
from chaffinch.decoys.shell.streams import OUTPUT_BYTES
from chaffinch.decoys.view import View
from chaffinch.personas.files import Files
from tests.decoys.harness import persona

EXAMPLES = 3000 if os.environ.get("CHAFFINCH_TEST_FUZZ") == "long" else 60
HOST = persona()


def shell(*, interactive: bool = False) -> Shell:
    made = Shell(
        HOST,
        HOST.users[0],
        View(Files(HOST), Overlays().of(HOST.address, "192.0.2.1"), HOST.users[0]),
        source="192.0.2.1",
        interactive=interactive,
    )

    async def at_once(seconds: float) -> None:
        made._waited += 0

    made.sleep = at_once  # type: ignore[method-assign]
    return made


COMMANDS = sorted(shell().commands)
tokens = st.sampled_from(
    [
        "|",
        "||",
        "&&",
        ";",
        "&",
        "(",
        ")",
        "{",
        "}",
        "<",
        ">",
        ">>",
        "2>&1",
        "'",
        '"',
        "`",
        "$(",
        "$((",
        "))",
        "${",
        "$",
        "*",
        "?",
        "[",
        "]",
        "\\",
        "\n",
        "#",
        "!",
        "~",
        "=",
        "if",
        "then",
        "fi",
        "for",
        "in",
        "do",
        "done",
        "while",
        "true",
        "false",
        "a",
        "/",
        "/etc",
        "/tmp/x",
        "-l",
        "-n",
        "-c",
        "1",
        "x=1",
        "<<",
        "<<<",
        "EOF",
        "{a,b}",
        "$x",
        "$?",
        "%s",
        "\x80",
        "-rf",
        "--",
        "..",
        "s/a/b/",
    ]
)
lines = st.one_of(
    st.lists(st.one_of(tokens, st.sampled_from(COMMANDS)), max_size=20).map(" ".join),
    st.lists(tokens, max_size=30).map("".join),
    st.text(max_size=100),
)


@settings(max_examples=EXAMPLES * 10, deadline=None)
@given(lines)
def test_parsing_gives_a_tree_or_a_fault(text: str) -> None:
    with contextlib.suppress(syntax.SyntaxFault):
        assert isinstance(parser.parse(text), syntax.Sequence)


@settings(max_examples=EXAMPLES * 3, deadline=None)
@given(lines, st.booleans())
def test_any_line_is_answered(text: str, interactive: bool) -> None:
    result = asyncio.run(shell(interactive=interactive).run(text, b"some\ninput\n"))
    assert len(result.out) <= OUTPUT_BYTES
    assert len(result.err) <= OUTPUT_BYTES
    assert 0 <= result.status <= 255


@settings(max_examples=EXAMPLES * 3, deadline=None)
@given(
    st.sampled_from(COMMANDS),
    st.lists(
        st.one_of(
            st.text(max_size=12),
            st.sampled_from(
                ["-a", "-l", "-n", "/etc/passwd", "/", "x", "+%s", "-1", "9" * 30, "--help", "-", "a=b", "$x"]
            ),
        ),
        max_size=4,
    ),
)
def test_any_arguments_are_answered(name: str, args: list[str]) -> None:
    quoted = " ".join("'" + arg.replace("'", "").replace("\0", "") + "'" for arg in args)
    result = asyncio.run(shell().run(f"{name} {quoted}", b"b\na\n"))
    assert 0 <= result.status <= 255


@pytest.mark.parametrize(
    "line",
    [
        "while true; do :; done",
        "while true; do echo xxxxxxxxxxxxxxxxxxxxxxxx; done",
        "yes | cat | cat | cat",
        "for i in {1..999999}; do echo $i; done",
        "x=a; for i in {1..500}; do x=$x$x; done; echo ${#x}",
        "cat /dev/urandom | base64",
        "f=1; until false; do f=$((f*f+1)); done",
        "(" * 500,
        "$(" * 500,
        "echo " + "{a,b}" * 30,
        "eval 'eval \"eval ls\"'",
        "echo 'sh /tmp/r' > /tmp/r; sh /tmp/r",
        "echo '. /tmp/r' > /tmp/r; . /tmp/r",
        "grep -E '(a+)+$' /etc/passwd",
        "grep 'a*a*a*a*a*a*b' /etc/services",
        "echo $((2**99999))",
        "ls -R /",
        "find / | xargs ls -l",
        "seq 1 999999999",
        "printf '%9999d' 1",
        "echo " + "a" * 70000,
        "ls " + "/*" * 40,
        "ls /*/*/*/*/*",
        "tr a-z '\\000-\\377' < /bin/ls",
        "sort -k 99999 /etc/services",
        "head -c 999999999999 /dev/zero",
    ],
)
def test_what_would_run_for_ever_ends(line: str) -> None:
    began = time.process_time()
    result = asyncio.run(shell().run(line))
    assert len(result.out) <= OUTPUT_BYTES
    assert time.process_time() - began < 5
