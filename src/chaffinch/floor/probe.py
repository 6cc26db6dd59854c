"""Runs in the interpreter that is measured: says who imports whom, and what each import took.

One file that needs the standard library alone, on CPython 3.8 and later, and of it only what every interpreter has
loaded already: what the probe imported itself could not be seen being imported. Hence no `json`, no `os`, no types.
"""

# ruff: noqa: SLF001 - what is watched are the import system's own functions

import sys

TYPE_CHECKING = False  # what `typing` has is not imported to ask it
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import FrameType, ModuleType
    from typing import Any, NoReturn

PROBE = "chaffinch floor's probe"
"""The name of this module while it runs, to tell its frames."""

MACHINERY = {
    PROBE,
    "importlib",
    "importlib._bootstrap",
    "importlib._bootstrap_external",
    # what these two are called until somebody imports `importlib`
    "_frozen_importlib",
    "_frozen_importlib_external",
}

ENTRY = -1
"""Stands for the entry where a load is asked for."""

loads: "list[list[Any]]" = []
"""For each: its name, the index of the load around it, seconds, anonymous bytes, mapped bytes, whether it failed."""

uses: "dict[tuple[Any, ...], None]" = {}
"""For each statement that ran: the load it belongs to, module, names imported from it, file, line, and file and line of
the statement where that stands elsewhere.
"""

stacks: "dict[int, list[int]]" = {}
"""The loads that go on, by thread."""

compiled: "list[str]" = []
"""Sources that no bytecode was there for."""


def meter(posix: "ModuleType", page: int) -> "Callable[[], tuple[int, int]]":
    """How to read this process's memory: anonymous bytes, and bytes mapped from files, in some microseconds.

    Anonymous memory is what nobody shares; what a file's pages count moves with what the kernel maps around them.
    """
    descriptor = [posix.open("/proc/self/statm", posix.O_RDONLY)]

    def read() -> "tuple[int, int]":
        try:
            fields = posix.pread(descriptor[0], 128, 0).split()
            resident, shared = int(fields[1]), int(fields[2])
        except (OSError, IndexError, ValueError):  # whoever is measured closed it, or put something else in its place
            descriptor[0] = posix.open("/proc/self/statm", posix.O_RDONLY)
            fields = posix.pread(descriptor[0], 128, 0).split()
            resident, shared = int(fields[1]), int(fields[2])
        return (resident - shared) * page, shared * page

    return read


def smaps(posix: "ModuleType") -> "dict[str, int]":
    """RSS, private memory, anonymous memory and PSS of this process in bytes, as the kernel adds them up."""
    found = {"Rss": 0, "Private_Clean": 0, "Private_Dirty": 0, "Anonymous": 0, "Pss": 0}
    text = b""
    descriptor = posix.open("/proc/self/smaps_rollup", posix.O_RDONLY)
    while chunk := posix.read(descriptor, 65536):
        text += chunk
    posix.close(descriptor)
    for line in text.decode("ascii", "replace").splitlines():
        name, _, rest = line.partition(":")
        if name in found:
            found[name] = int(rest.split()[0]) * 1024
    return {
        "rss_bytes": found["Rss"],
        "private_bytes": found["Private_Clean"] + found["Private_Dirty"],
        "anonymous_bytes": found["Anonymous"],
        "pss_bytes": found["Pss"],
    }


def is_machinery(frame: "FrameType") -> bool:
    """Whether that frame is of the import system itself."""
    return frame.f_globals.get("__name__") in MACHINERY


def place(frame: "FrameType | None", top: str) -> "tuple[str, int, str, int]":
    """Where the module `top` did it: its own line; and the line of the import itself where that stands elsewhere."""
    while frame is not None and is_machinery(frame):
        frame = frame.f_back
    if frame is None:
        return "", 0, "", 0
    file, line = frame.f_code.co_filename, frame.f_lineno
    if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == top:
        return file, line, "", 0
    outer: FrameType | None = frame
    while outer is not None:
        if outer.f_code.co_name == "<module>" and outer.f_globals.get("__name__") == top:
            return outer.f_code.co_filename, outer.f_lineno, file, line
        outer = outer.f_back
    return file, line, "", 0


def absolute(name: str, level: int, namespace: "dict[str, Any]") -> str:
    """The full name of what a statement imports."""
    if not level:
        return name
    package = namespace.get("__package__")
    if package is None:
        package = namespace.get("__name__") or ""
        if "__path__" not in namespace:
            package = package.rpartition(".")[0]
    base = package.rsplit(".", level - 1)[0] if level > 1 else package
    return base + "." + name if name else base


def note(thread: int, frame: "FrameType | None", name: str, fromlist: "tuple[str, ...]") -> None:
    """Keep that a statement ran: it belongs to the module that its thread is loading."""
    stack = stacks.get(thread)
    if stack:
        index = stack[-1]
        top = loads[index][0]
    else:  # the entry itself, or a thread that somebody started
        index, top = ENTRY, "__main__"
    uses[(index, name, fromlist, *place(frame, top))] = None


def frame_of(frame: "FrameType", namespace: "Any") -> "FrameType":
    """The frame of the statement: not that of a hook of somebody else's between it and us."""
    outer: FrameType | None = frame
    while outer is not None and outer.f_globals is not namespace:
        outer = outer.f_back
    return frame if outer is None else outer


def watch_statements(ident: "Callable[[], int]") -> "Callable[[], None]":
    """See every import statement that runs, also of what is loaded already. Returns what ends that."""
    import builtins

    import_, frame_at = builtins.__import__, sys._getframe

    def watched_import(
        name: str,
        globals: "Any" = None,  # noqa: A002
        locals: "Any" = None,  # noqa: A002
        fromlist: "Any" = (),
        level: int = 0,
    ) -> "Any":
        try:
            frame = frame_of(frame_at(1), globals)
            note(ident(), frame, absolute(name, level, globals or {}), tuple(fromlist) if fromlist else ())
        except Exception:  # noqa: BLE001, S110 - what is wrong with the arguments the import itself says
            pass
        return import_(name, globals, locals, fromlist, level)

    def leave() -> None:
        builtins.__import__ = import_

    builtins.__import__ = watched_import
    return leave


def asks_itself(frame: "FrameType") -> "FrameType | None":
    """The frame that asked the import system past any statement: `importlib.import_module`, or a C extension."""
    caller = frame.f_code.co_name
    if caller == "watched_import":
        return None
    outer = frame.f_back if caller == "_gcd_import" else frame
    if outer is None or (is_machinery(outer) and outer.f_code.co_name != "import_module"):
        return None
    return outer


def watch_loads(
    read: "Callable[[], tuple[int, int]]", clock: "Callable[[], float]", ident: "Callable[[], int]"
) -> "Callable[[], None]":
    """Measure every module that is loaded. Returns what ends that."""
    import _frozen_importlib

    bootstrap: Any = _frozen_importlib
    find_and_load, modules, frame_at = bootstrap._find_and_load, sys.modules, sys._getframe

    def watched_load(name: str, import_: "Any") -> "Any":
        thread = ident()
        asking = asks_itself(frame_at(1))
        if asking is not None:
            note(thread, asking, name, ())
        if name in modules:
            return find_and_load(name, import_)
        stack = stacks.setdefault(thread, [])
        row = [name, stack[-1] if stack else ENTRY, 0.0, 0, 0, True]
        stack.append(len(loads))
        loads.append(row)
        anonymous, mapped = read()
        began = clock()
        try:
            module = find_and_load(name, import_)
            row[5] = False
            return module
        finally:
            row[2] = clock() - began
            now = read()
            row[3], row[4] = now[0] - anonymous, now[1] - mapped
            stack.pop()

    def leave() -> None:
        bootstrap._find_and_load = find_and_load

    bootstrap._find_and_load = watched_load
    return leave


def watch_compiling() -> "Callable[[], None]":
    """See which sources have no bytecode. Returns what ends that."""
    import _frozen_importlib_external

    loader: Any = _frozen_importlib_external.SourceLoader
    source_to_code = loader.source_to_code

    def compile_source(self: "Any", data: "Any", path: "Any", *rest: "Any", **more: "Any") -> "Any":
        compiled.append(str(path))
        return source_to_code(self, data, path, *rest, **more)

    def leave() -> None:
        loader.source_to_code = source_to_code

    loader.source_to_code = compile_source
    return leave


def targets(name: str, fromlist: "tuple[str, ...]", known: "Collection[str]") -> "list[str]":
    """Which modules of `known` a statement needs."""
    found = [name] if name in known else []
    namespace = getattr(sys.modules.get(name), "__dict__", {})
    if "*" in fromlist:
        fromlist = tuple(namespace.get("__all__") or ())
    for part in fromlist:
        below = f"{name}.{part}"
        if below in known and (below not in sys.modules or namespace.get(part) is sys.modules[below]):
            found.append(below)
    return found


def written(value: "Any") -> str:
    """That value as JSON."""
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{quoted(key)}:{written(one)}" for key, one in value.items()) + "}"
    return "[" + ",".join(map(written, value)) + "]"


def quoted(value: "Any") -> str:
    text = str(value)
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    # A lone surrogate is no character: JSON that has one is refused.
    whole = "".join("\ufffd" if 0xD800 <= ord(letter) < 0xE000 else letter for letter in text)
    units = whole.encode("utf-16-be")
    return '"' + "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2)) + '"'


def origin_of(name: str) -> str:
    """Where a module came from: its file; `built-in` or `frozen`; nothing for what has none."""
    module = sys.modules.get(name)
    try:
        spec = getattr(module, "__spec__", None)
        file = getattr(module, "__file__", None) or getattr(spec, "origin", None) or ""
        return file if isinstance(file, str) else ""
    except Exception:  # noqa: BLE001 - an object in a module's place may raise anything
        return ""


def ending(error: BaseException) -> "dict[str, Any]":
    """What ended the entry: the exception, and the innermost line that raised it outside the import system."""
    trace, file, line = error.__traceback__, "", 0
    while trace is not None:
        if not is_machinery(trace.tb_frame):
            file, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception may raise when it is asked
        text = ""
    return {"kind": type(error).__name__, "text": text, "file": file, "line": line}


def report(
    out: str,
    posix: "ModuleType",
    before: "dict[str, int]",
    took: "tuple[float, int, int]",
    ended: "Any",
    alone: "set[str]",
) -> None:
    """Write what was seen to the file `out`."""
    after = smaps(posix)
    known = {row[0] for row in loads}
    added = [name for name in list(sys.modules) if name not in alone and name not in known and name != "__main__"]
    known.update(added)
    used = [
        [index, targets(name, fromlist, known), file, line, via, via_line]
        for index, name, fromlist, file, line, via, via_line in uses
    ]
    text = written(
        {
            "version": ".".join(map(str, sys.version_info[:3])),
            "executable": sys.executable or "",
            "prefixes": [sys.base_prefix, sys.prefix],
            "before": before,
            "after": after,
            "seconds": took[0],
            "anonymous_bytes": took[1],
            "mapped_bytes": took[2],
            "modules_before": len(alone),
            "modules": sorted(map(str, list(sys.modules))),
            "loads": [[*row, origin_of(row[0])] for row in loads],
            "added": [[str(name), origin_of(name)] for name in added],
            "uses": [use for use in used if use[1]],
            "threads": len(sys._current_frames()) - 1,
            "compiled": len(compiled),
            "ended": ended,
        }
    ).encode("ascii")
    descriptor = posix.open(out, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC, 0o600)
    while text:
        text = text[posix.write(descriptor, text) :]
    posix.close(descriptor)


def fresh_main() -> "dict[str, Any]":
    """A `__main__` for the entry, so that nothing of the probe is in its way."""
    entry = type(sys)("__main__")
    sys.modules["__main__"] = entry
    sys.argv[:] = ["-c"]
    return entry.__dict__


def main(out: str, code: str) -> None:
    """Run the code of the entry, report, and leave at once: threads that it started are not waited for."""
    import _thread
    import posix as system
    import time

    posix: Any = system
    own, leave_process = posix.getpid(), posix._exit
    namespace, body = fresh_main(), compile(code, "<entry>", "exec")
    # Each import within another one takes two frames more than without the probe.
    sys.setrecursionlimit(2 * sys.getrecursionlimit())
    read, clock = meter(posix, posix.sysconf("SC_PAGE_SIZE")), time.perf_counter
    alone = set(sys.modules)
    before = smaps(posix)
    leaving = (watch_compiling(), watch_statements(_thread.get_ident), watch_loads(read, clock, _thread.get_ident))
    start = read()
    began = clock()

    def finish(ended: "Any") -> "NoReturn":
        took = clock() - began
        if posix.getpid() != own:  # a child that the entry forked, and that came back here
            leave_process(0)
        now = read()
        for leave in leaving:
            leave()
        report(out, posix, before, (took, now[0] - start[0], now[1] - start[1]), ended, alone)
        leave_process(0)
        raise SystemExit

    def watched_exit(status: int = 0) -> "NoReturn":
        if posix.getpid() != own:
            leave_process(status)
        frame = sys._getframe(1)
        finish({"kind": "os._exit", "text": str(status), "file": frame.f_code.co_filename, "line": frame.f_lineno})

    posix._exit = watched_exit
    os: Any = sys.modules.get("os")
    if os is not None:
        os._exit = watched_exit
    ended: dict[str, Any] | None = None
    try:
        exec(body, namespace)  # noqa: S102 - the entry that the user asked for
    except BaseException as error:  # noqa: BLE001 - whatever ends the entry is what is to be told
        ended = ending(error)
    finish(ended)


if __name__ == "__main__":
    __name__ = PROBE
    sys.path[0] = ""
    main(sys.argv[1], sys.argv[2])
