"""How a parsed line runs: step by step, within the shell's bounds, against its files and its command table."""

from typing import TYPE_CHECKING

from chaffinch.decoys.shell import parser, syntax, table
from chaffinch.decoys.shell.call import Call, encode
from chaffinch.decoys.shell.expansion import expand, expand_one
from chaffinch.decoys.shell.streams import FileOutput, Input, Output, Streams
from chaffinch.decoys.view import absolute, why
from chaffinch.personas.files import FileError

if TYPE_CHECKING:
    from chaffinch.decoys.shell.shell import Shell


class Exit(Exception):  # noqa: N818  not a fault: the word of one command
    """`exit` with a status: the shell or the innermost subshell ends."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Jump(Exception):  # noqa: N818  not a fault: `break` and `continue`
    """The innermost loop goes on with its next round, or ends."""

    def __init__(self, *, again: bool) -> None:
        super().__init__(again)
        self.again = again


class Limit(Exception):  # noqa: N818  not a fault of ours
    """A bound of the line was reached: it ends as if killed."""


async def run_text(shell: "Shell", text: str, streams: Streams) -> int:
    """Run a line or several; gives the status of the last command."""
    try:
        tree = parser.parse(text)
    except syntax.SyntaxFault as fault:
        streams.err.write(encode(table.syntax_fault(shell, text, fault)))
        return 2
    return await _sequence(shell, tree, streams)


async def _sequence(shell: "Shell", sequence: syntax.Sequence, streams: Streams) -> int:
    for item in sequence.items:
        if (item.operator == "&&" and shell.status != 0) or (item.operator == "||" and shell.status == 0):
            continue
        if item.background and shell.interactive:
            streams.err.write(encode(f"[1] {shell.pid + 1 + shell.steps}\n"))
        status = await _pipeline(shell, item.pipeline, streams)
        shell.status = 0 if item.background else status
    return shell.status


async def _pipeline(shell: "Shell", pipeline: syntax.Pipeline, streams: Streams) -> int:
    status, stdin = 0, streams.stdin
    for command in pipeline.commands[:-1]:
        out = Output()
        within = Streams(stdin, out, streams.err)
        status = await shell.apart(lambda command=command, within=within: _one(shell, command, within))  # type: ignore[misc]
        stdin = Input(bytes(out.data))
    last = Streams(stdin, streams.out, streams.err)
    if len(pipeline.commands) > 1:
        status = await shell.apart(lambda: _one(shell, pipeline.commands[-1], last))
    else:
        status = await _one(shell, pipeline.commands[-1], last)
    return int(status == 0) if pipeline.negated else status


async def _one(shell: "Shell", command: syntax.Command, streams: Streams) -> int:
    if isinstance(command, syntax.Simple):
        return await _simple(shell, command, streams)
    opened = await _redirected(shell, command.redirects, streams)
    if opened is None:
        return 1
    try:
        return await _compound(shell, command, opened)
    finally:
        _close(shell, opened, streams)


async def _compound(shell: "Shell", command: syntax.Command, streams: Streams) -> int:
    match command:
        case syntax.Group(subshell=True):
            return await shell.apart(lambda: _sequence(shell, command.body, streams))
        case syntax.Group():
            return await _sequence(shell, command.body, streams)
        case syntax.If():
            for condition, body in command.branches:
                if await _sequence(shell, condition, streams) == 0:
                    return await _sequence(shell, body, streams)
            return await _sequence(shell, command.otherwise, streams) if command.otherwise else 0
        case syntax.For():
            shell.status = 0
            for word in await expand(shell, command.words):
                shell.assign(command.name, word)
                if not await _round(shell, command.body, streams):
                    break
            return shell.status
        case syntax.While():
            status = 0
            while (await _sequence(shell, command.condition, streams) == 0) != command.until:
                await shell.step()
                again = await _round(shell, command.body, streams)
                status = shell.status
                if not again:
                    break
            return status
    return 0


async def _round(shell: "Shell", body: syntax.Sequence, streams: Streams) -> bool:
    """One round of a loop; says whether to go on."""
    try:
        await _sequence(shell, body, streams)
    except Jump as jump:
        return jump.again
    return True


async def _simple(shell: "Shell", command: syntax.Simple, streams: Streams) -> int:
    words = await expand(shell, command.words)
    opened = await _redirected(shell, command.redirects, streams)
    if opened is None:
        return 2 if shell.flavor == "dash" else 1
    before = None
    try:
        if not words:
            for name, value in command.assignments:
                shell.assign(name, await expand_one(shell, value))
            return shell.status if any(p.kind == "command" for _, w in command.assignments for p in w.parts) else 0
        if command.assignments:
            before = dict(shell.variables), set(shell.exported)
            for name, value in command.assignments:
                shell.assign(name, await expand_one(shell, value))
                shell.exported.add(name)
        return await run_command(shell, words, opened)
    finally:
        if before is not None:
            shell.variables, shell.exported = before
        _close(shell, opened, streams)


async def run_command(shell: "Shell", words: list[str], streams: Streams) -> int:
    """Run one command by its expanded words."""
    await shell.step()
    if streams.out.full:
        raise Limit
    name, *args = words
    command, status = table.find(shell, name)
    if command is None:
        streams.err.write(encode(table.not_run(shell, name, status)))
        return status
    call = Call(shell, name, args, streams.stdin, streams.out, streams.err)
    return await command(call)


async def _redirected(shell: "Shell", redirects: tuple[syntax.Redirect, ...], streams: Streams) -> Streams | None:
    """The streams after redirections; None, with a complaint, when a file cannot be opened."""
    stdin, outputs = streams.stdin, {1: streams.out, 2: streams.err}
    for redirect in redirects:
        word = await expand_one(shell, redirect.word)
        path = absolute(word, shell.cwd)
        try:
            match redirect.operator:
                case "<":
                    stdin = Input(shell.view.read(path))
                case "<<":
                    stdin = Input(encode(word))
                case "<<<":
                    stdin = Input(encode(word + "\n"))
                case ">&" | "<&" if word in ("0", "1", "2", "-"):
                    outputs[redirect.fd] = outputs.get(int(word), streams.out) if word in "12" else Output()
                case "&>" | "&>>" | ">&":
                    outputs[1] = outputs[2] = FileOutput(shell.view, path, append=redirect.operator == "&>>")
                case _:
                    outputs[redirect.fd] = FileOutput(shell.view, path, append=redirect.operator == ">>")
        except FileError as error:
            streams.err.write(encode(table.cannot_open(shell, word, why(error), reading=redirect.operator == "<")))
            return None
    return Streams(stdin, outputs[1], outputs[2])


def _close(shell: "Shell", opened: Streams, streams: Streams) -> None:
    for output in {id(opened.out): opened.out, id(opened.err): opened.err}.values():
        if output is streams.out or output is streams.err:
            continue
        try:
            output.close()
        except FileError as error:
            streams.err.write(encode(f"{shell.speaker()}echo: write error: {why(error)}\n"))
