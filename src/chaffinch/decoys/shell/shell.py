"""The shell itself: one account's state on one host, the bounds of a line, and how shells stand in each other."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from chaffinch.decoys.shell import table
from chaffinch.decoys.shell.call import Call, decode, encode
from chaffinch.decoys.shell.execution import Exit, Jump, Limit, run_command, run_text
from chaffinch.decoys.shell.streams import Input, Output, Streams
from chaffinch.decoys.view import View
from chaffinch.events import Fact, Probe, printable
from chaffinch.personas.persona import Persona, User

STEPS = 2000
"""How many commands one line may run."""

NESTING = 12
"""How deep shells, substitutions and subshells may stand in each other."""

SECONDS = 120.0
"""How long one line may make the peer wait, all in all."""

VARIABLES = 256
"""How many variables a shell holds, each of at most `VALUE_CHARACTERS`."""

VALUE_CHARACTERS = 8192

VARIABLE_CHARACTERS = 256 << 10
"""How many characters all of them may have together: what goes past it is cut off."""


class Result(msgspec.Struct, frozen=True, gc=False):
    """What a line printed and how it ended. `exited`: the shell is over. `urls`: what commands were asked to fetch."""

    out: bytes
    err: bytes
    status: int
    exited: bool
    urls: tuple[str, ...] = ()


class Terminal(Protocol):
    """Where an interactive shell's commands ask and wait. Both raise `Interrupted` on Ctrl-C."""

    async def ask(self, prompt: bytes, *, echo: bool) -> bytes | None:
        """A line typed at `prompt`, or None for Ctrl-D."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Interrupted(Exception):  # noqa: N818  not a fault: a key
    """Ctrl-C was typed."""


class _State(msgspec.Struct, frozen=True):
    """What a subshell may change and its end puts back."""

    cwd: str
    variables: dict[str, str]
    exported: set[str]
    flavor: str
    interactive: bool
    zero: str
    arguments: list[str]
    user: User
    view: View


class Shell:
    """One account's shell on one host.

    `interactive` shells speak as a login shell at a terminal does; others as `sh -c` does, for ssh's exec.
    `on_output` is told what is printed in its order (1 is standard output, 2 standard error); `on_fact` what is
    worth recording; `terminal` is set by who has one. All state is this object's: working directory, variables,
    history (at most 500 lines).
    """

    def __init__(
        self,
        persona: Persona,
        user: User,
        view: View,
        *,
        source: str,
        tty: str = "pts/0",
        now: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        interactive: bool = True,
        on_fact: Callable[[Fact], None] | None = None,
    ) -> None:
        self.persona = persona
        self.user = user
        self.view = view
        self.source = source
        self.tty = tty
        self.now = now
        self.random = rng or random.Random()
        self.interactive = interactive
        self.on_fact = on_fact
        self.on_output: Callable[[int, bytes], None] | None = None
        self.terminal: Terminal | None = None
        self.flavor = "ash" if persona.os.family == "embedded" else "bash"
        self.commands = table.commands_of(persona)
        self.since = now()
        self.cwd = user.home if view.exists(user.home) else "/"
        self.zero = ""
        self.arguments: list[str] = []
        self.variables: dict[str, str] = table.environment(self)
        self.exported = set(self.variables)
        self.history: list[str] = []
        self.status = 0
        self.urls: list[str] = []
        self.pid = 1000 + self.random.randrange(30000)
        self.steps = 0
        self._waited = 0.0
        self._depth = 0
        self._outer: list[_State] = []

    # What the terminal shows -----------------------------------------------------------------------------------------

    @property
    def prompt(self) -> bytes:
        """What stands before each line."""
        return encode(table.prompt(self))

    def login_text(self, *, remote_login: bool = False) -> bytes:
        """What a login prints before the first prompt, with `\\n` line ends: the message of the day and the last
        login, as sshd does, or as login(1) does for `remote_login`."""
        return encode(table.login_text(self, remote_login=remote_login))

    def speaker(self) -> str:
        """How the shell's own complaints begin: `-bash: `, or `bash: line 1: `."""
        if self.flavor == "bash":
            return "-bash: " if self.interactive else "bash: line 1: "
        return "-sh: " if self.interactive and self.flavor == "ash" else "sh: " if self.flavor == "ash" else "sh: 1: "

    # Variables -------------------------------------------------------------------------------------------------------

    def variable(self, name: str) -> str | None:  # noqa: PLR0911  one answer a parameter
        """The value of a variable or a special parameter, or None."""
        match name:
            case "?":
                return str(self.status)
            case "$":
                return str(self.pid)
            case "#":
                return str(len(self.arguments))
            case "@" | "*":
                return " ".join(self.arguments)
            case "-":
                return "himBHs" if self.interactive else "hBc"
            case "!":
                return ""
            case "0":
                return self.zero or self.speaker().partition(":")[0]
            case "RANDOM" if self.flavor == "bash":
                return str(self.random.randrange(32768))
            case "SECONDS" if self.flavor == "bash":
                return str(int(self.now() - self.since))
        if name.isdecimal():
            at = int(name) - 1
            return self.arguments[at] if at < len(self.arguments) else None
        return self.variables.get(name)

    def assign(self, name: str, value: str) -> None:
        """Set a variable, within the bounds."""
        if name in self.variables or len(self.variables) < VARIABLES:
            others = sum(map(len, self.variables.values())) - len(self.variables.get(name, ""))
            self.variables[name] = value[: min(VALUE_CHARACTERS, VARIABLE_CHARACTERS - others)]

    # Running ---------------------------------------------------------------------------------------------------------

    async def run(self, line: str, stdin: bytes = b"") -> Result:
        """Run a line (or several). Raises `Interrupted` when the terminal does."""
        out = Output(lambda data: self._show(1, data), terminal=self.interactive)
        err = Output(lambda data: self._show(2, data), terminal=self.interactive)
        self.steps, self._waited, self._depth, self.urls = 0, 0.0, 0, []
        exited = False
        try:
            streams = Streams(Input(stdin, interactive=self.terminal is not None), out, err)
            self.status = await run_text(self, line, streams)
        except Exit as ended:
            says = b"" if not self.interactive or self.flavor != "bash" else b"exit\n" if self._outer else b"logout\n"
            err.write(says)
            self.status, exited = ended.status, not self.leave()
        except Jump:
            self.status = 0
        except Limit:
            self.status = 137
        return Result(bytes(out.data), bytes(err.data), self.status, exited, tuple(self.urls))

    @property
    def held(self) -> int:
        """About what its variables and its history take, in bytes."""
        return sum(map(len, self.variables.values())) + sum(map(len, self.history))

    def remember(self, line: str) -> None:
        """Add a typed line to the history."""
        if line.strip() and not line.startswith(" "):
            self.history.append(line[:1024])
            del self.history[:-500]

    def record(self, fact: Fact) -> None:
        """Something worth recording happened inside a command."""
        if self.on_fact is not None:
            self.on_fact(fact)

    def fetched(self, url: str) -> None:
        """A command was asked to fetch `url`; nothing is fetched."""
        if len(self.urls) < 64:
            self.urls.append(url[:2048])
            self.record(Probe(printable(url, 2048), "asked to fetch"))

    async def sleep(self, seconds: float) -> None:
        """Let a command take its time; past `SECONDS` in one line it is ended."""
        seconds = max(0.0, min(seconds, SECONDS - self._waited))
        self._waited += seconds
        await (self.terminal.sleep(seconds) if self.terminal is not None else asyncio.sleep(seconds))
        if self._waited >= SECONDS:
            raise Limit

    async def step(self) -> None:
        """One more command of this line runs; past `STEPS` the line is ended."""
        self.steps += 1
        if self.steps > STEPS:
            raise Limit
        if self.steps % 32 == 0:
            await asyncio.sleep(0)  # other sessions have their turn

    async def ask(self, prompt: bytes, *, echo: bool) -> bytes | None:
        """A line from the terminal; None without one."""
        return await self.terminal.ask(prompt, echo=echo) if self.terminal is not None else None

    def enter(self, flavor: str, user: User, *, login: bool) -> None:
        """Begin another interactive shell inside this one: `sh`, `su`. Its `exit` leads back."""
        if len(self._outer) >= NESTING:
            raise Limit
        self._outer.append(self._state())
        self.variables, self.exported = dict(self.variables), set(self.exported)
        if user.uid != self.user.uid:
            self.user, self.view = user, self.view.as_user(user)
            self.variables |= {"USER": user.name, "LOGNAME": user.name, "HOME": user.home}
        if login:
            self.cwd = user.home if self.view.exists(user.home) else "/"
        self.flavor = flavor

    def leave(self) -> bool:
        """Go back to the shell around the innermost one; False when there is none."""
        if not self._outer:
            return False
        self._restore(self._outer.pop())
        return True

    def exit(self, status: int) -> None:
        """End the shell (or the innermost subshell)."""
        raise Exit(status)

    def jump(self, *, again: bool) -> None:
        """`break` or `continue`."""
        raise Jump(again=again)

    async def substitute(self, text: str) -> bytes:
        """What a `$(...)` prints."""
        out = Output()
        err = Output(lambda data: self._show(2, data))
        self.status = await self.apart(lambda: run_text(self, text, Streams(Input(), out, err)))
        return bytes(out.data)

    async def nested(
        self, text: str, call: Call, *, flavor: str, arguments: list[str], user: User | None = None, zero: str = ""
    ) -> int:
        """Run text as another shell would (`sh -c`, a script, a piped script), as another account if one is given."""

        async def inside() -> int:
            if user is not None:
                self.user, self.view = user, self.view.as_user(user)
            self.flavor, self.interactive, self.arguments, self.zero = flavor, False, arguments, zero or call.name
            return await run_text(self, text, Streams(call.stdin, call.out, call.err))

        return await self.apart(inside)

    async def here(self, text: str, call: Call) -> int:
        """Run text in this shell, with a call's streams: `eval` and `source`."""
        self._depth += 1
        try:
            if self._depth > NESTING:
                raise Limit
            return await run_text(self, text, Streams(call.stdin, call.out, call.err))
        finally:
            self._depth -= 1

    async def call(self, name: str, args: list[str], like: Call) -> int:
        """Run another command with a call's streams: for `sudo`, `env`, `xargs`, `busybox`."""
        return await run_command(self, [name, *args], Streams(like.stdin, like.out, like.err))

    async def apart(self, body: Callable[[], Awaitable[int]]) -> int:
        """Run something that must not change this shell's state; `exit` ends only it."""
        kept = self._state()
        self.variables, self.exported = dict(self.variables), set(self.exported)
        self._depth += 1
        try:
            if self._depth > NESTING:
                raise Limit
            return await body()
        except Exit as ended:
            return ended.status
        finally:
            self._depth -= 1
            self._restore(kept)

    def _show(self, fd: int, data: bytes) -> None:
        if self.on_output is not None:
            self.on_output(fd, data)

    def _state(self) -> _State:
        return _State(
            cwd=self.cwd,
            variables=self.variables,
            exported=self.exported,
            flavor=self.flavor,
            interactive=self.interactive,
            zero=self.zero,
            arguments=self.arguments,
            user=self.user,
            view=self.view,
        )

    def _restore(self, kept: _State) -> None:
        self.cwd, self.variables, self.exported, self.flavor = kept.cwd, kept.variables, kept.exported, kept.flavor
        self.zero = kept.zero
        self.interactive, self.arguments, self.user, self.view = kept.interactive, kept.arguments, kept.user, kept.view


__all__ = ["Interrupted", "Result", "Shell", "Terminal", "decode"]
