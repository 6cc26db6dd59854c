"""What a command reads and where it writes: bounded bytes, no descriptors."""

from collections.abc import Callable

import msgspec

from chaffinch.decoys.view import View

OUTPUT_BYTES = 1 << 20
"""How much one line may print, and how much a pipe or a redirection may carry."""

ALL_OUTPUT_BYTES = 8 << 20
"""How much the inputs and outputs of all shells of a process may hold together: a command that sleeps keeps its own."""

_held = 0


class Input:
    """What a command may read. `interactive` says that it is the terminal, where reading means asking."""

    __slots__ = ("at", "data", "interactive")

    def __init__(self, data: bytes = b"", *, interactive: bool = False) -> None:
        global _held  # noqa: PLW0603
        _held += len(data)
        self.data = data
        self.at = 0
        self.interactive = interactive

    def __del__(self) -> None:
        global _held  # noqa: PLW0603
        _held -= len(self.data)

    def rest(self) -> bytes:
        """Everything that was not read yet."""
        found, self.at = self.data[self.at :], len(self.data)
        return found

    def line(self) -> bytes:
        """The next line with its end; empty at the end of input."""
        end = self.data.find(b"\n", self.at)
        end = len(self.data) if end < 0 else end + 1
        found, self.at = self.data[self.at : end], end
        return found


class Output:
    """Collects what a command writes, up to `OUTPUT_BYTES`; `shown` is also told each piece as it comes."""

    __slots__ = ("_shown", "data", "terminal")

    def __init__(self, shown: Callable[[bytes], None] | None = None, *, terminal: bool = False) -> None:
        self.data = bytearray()
        self.terminal = terminal
        self._shown = shown

    def __del__(self) -> None:
        global _held  # noqa: PLW0603
        _held -= len(self.data)

    @property
    def full(self) -> bool:
        """Whether nothing more is taken."""
        return len(self.data) >= OUTPUT_BYTES or _held >= ALL_OUTPUT_BYTES

    def write(self, data: bytes) -> None:
        """Take what fits."""
        global _held  # noqa: PLW0603
        data = data[: max(0, min(OUTPUT_BYTES - len(self.data), ALL_OUTPUT_BYTES - _held))]
        self.data += data
        _held += len(data)
        if data and self._shown is not None:
            self._shown(data)

    def close(self) -> None:
        """Nothing more will be written."""


class FileOutput(Output):
    """A redirection: its bytes become the file's content when it is closed."""

    __slots__ = ("_append", "_path", "_view")

    def __init__(self, view: View, path: str, *, append: bool) -> None:
        super().__init__()
        self._view = view
        self._path = path
        self._append = append
        view.write(path, b"", append=append)

    def close(self) -> None:
        """Raises `FileError` when the quota does not hold it."""
        if self.data:
            self._view.write(self._path, bytes(self.data), append=self._append)


class Streams(msgspec.Struct, frozen=True):
    """What a command is connected to."""

    stdin: Input
    out: Output
    err: Output
