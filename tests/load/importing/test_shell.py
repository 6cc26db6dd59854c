"""Words of a shell, as bash splits them."""

import contextlib
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaffinch.load.importing.shell import ShellError, commands


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("curl a b", ["curl", "a", "b"]),
        ("curl 'a b' \"c \\\" \\n d\" e\\ f ''", ["curl", "a b", 'c " \\n d', "e f", ""]),
        ("curl \\\n  'a\\\nb' \"c\\\nd\" # end", ["curl", "a\\\nb", "cd"]),
        (r"curl $'a\n\x41\u20ac\101\'b'", ["curl", "a\nA€A'b"]),
        ("curl a'b'\"c\"d", ["curl", "abcd"]),
        ("curl x$ '$a' a=b#c", ["curl", "x$", "$a", "a=b#c"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert commands(text) == [(1, words)]


def test_commands_and_their_lines() -> None:
    assert commands("\n# first\ncurl a \\\n  b\n\ncurl c; curl d && curl e\r\n") == [
        (3, ["curl", "a", "b"]),
        (6, ["curl", "c"]),
        (6, ["curl", "d"]),
        (6, ["curl", "e"]),
    ]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("curl\n'a", 2, "a ' is not closed"),
        ('curl "a', 1, 'a " is not closed'),
        ("curl $'a", 1, "a $' is not closed"),
        ("curl a | jq .", 1, '"|" is for a shell: give the curl command alone'),
        ("curl a > b", 1, '">" is for a shell: give the curl command alone'),
        ("curl $HOST/a", 1, 'a shell would put something in place of "$HOST/a": write what it stands for'),
        ('curl "a $(id)"', 1, 'a shell would put something in place of "$(id)": write what it stands for'),
        ("curl `id`", 1, 'a shell would put something in place of "`id`": write what it stands for'),
    ],
)
def test_what_only_a_shell_can_do(text: str, line: int, what: str) -> None:
    with pytest.raises(ShellError) as error:
        commands(text)
    assert (error.value.line, str(error.value)) == (line, what)


def test_it_splits_as_bash_does() -> None:
    text = r"""curl -H 'a: "b"' -d "x=\"1\"&y=\\z \$q" $'t\t\u00e9\'' a\'b"""
    said = subprocess.run(
        ["bash", "-c", text.replace("curl", "printf '%s\\0'", 1)],
        capture_output=True,
        timeout=20,
        check=True,
        env={"LC_ALL": "C.UTF-8"},
    )
    assert commands(text)[0][1][1:] == said.stdout.decode().split("\0")[:-1]


@given(st.text(alphabet="curl -'\"$\\\n{a#&;|", max_size=60))
def test_anything_is_split_or_refused(text: str) -> None:
    with contextlib.suppress(ShellError):
        assert all(words for _, words in commands(text))
