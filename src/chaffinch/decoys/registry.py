"""Finding services by module name, importing only what the plan needs."""

import importlib
import importlib.util
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, cast

import msgspec

from chaffinch import plugins
from chaffinch.errors import InputError

if TYPE_CHECKING:
    from chaffinch.decoys.session import Session

BUILT_IN = ("ftp", "http", "memcached", "mysql", "redis", "smtp", "ssh", "telnet")
"""The services that ship with the project: the modules of this package that define one."""


NEEDS = {"ssh": ("asyncssh", "ssh")}
"""The libraries that services import when a client comes, and the extras that install them."""


class ServiceSpec(msgspec.Struct, frozen=True):
    """What a service's module says of itself.

    `idle` is how long a session may be silent and `total` how long it may last, in seconds; `bytes_in` bounds what
    one session may send, in bytes.
    """

    name: str
    tcp: int = 0
    udp: int = 0
    idle: float = 120.0
    total: float = 3600.0
    bytes_in: int = 16 << 20


Refusal = Callable[["Session"], bytes]
"""What the product says to one connection too many before it closes: bytes from `session.service` and the persona.

It is called instead of the handler, on the event loop, while memory is short: it reads nothing, waits for nothing,
records nothing and keeps nothing.
"""


def close_at_once(session: "Session") -> bytes:
    """The refusal of products that close without a word."""
    return b""


class Handler(Protocol):
    """A service's handler, as `@service` leaves it."""

    spec: ServiceSpec
    refuse: Refusal

    def __call__(self, session: "Session") -> Awaitable[None]: ...


def service(
    name: str,
    *,
    tcp: int = 0,
    udp: int = 0,
    idle: float = 120.0,
    total: float = 3600.0,
    bytes_in: int = 16 << 20,
    refuse: Refusal = close_at_once,
) -> Callable[[Callable[["Session"], Awaitable[None]]], Handler]:
    """Mark a module's handler. Name one port: `tcp` or `udp`; `refuse` is a `Refusal`, and the other arguments are
    those of `ServiceSpec`.
    """

    def mark(handler: Callable[["Session"], Awaitable[None]]) -> Handler:
        marked = cast(Handler, handler)
        marked.spec = ServiceSpec(name, tcp, udp, idle, total, bytes_in)
        marked.refuse = refuse
        return marked

    return mark


def load(name: str) -> Handler:
    """Import the service `name` and return its handler.

    Raises `InputError` when no module or plug-in has it, when two claim the name, or when the module marks no
    handler.
    """
    return _handler_of(find(name), name)


def find(name: str) -> str:
    """The module that has the service `name`, without importing it. Raises `InputError` as `load` does."""
    built_in = f"chaffinch.decoys.{name}" if name in BUILT_IN else ""
    plugged = plugins.modules(plugins.SERVICES).get(name, "")
    if built_in and plugged:
        raise InputError(f"two modules claim the service {name!r}: {built_in} and {plugged}; rename or remove one")
    if not (built_in or plugged):
        known = ", ".join((*BUILT_IN, *plugins.modules(plugins.SERVICES)))
        raise InputError(f"no module has a service named {name!r}; there are: {known}")
    return built_in or plugged


def refuse_missing(name: str) -> None:
    """Raises `InputError` when the service stands on a library that is not installed: it is an extra of its own."""
    library, extra = NEEDS.get(name, ("", ""))
    if library and importlib.util.find_spec(library) is None:
        raise InputError(
            f"the service {name!r} needs {library}: install it with `pip install 'chaffinch[{extra}]'`, or switch the "
            f"service off with `enabled = false` in [services.{name}]"
        )


def _handler_of(module_name: str, name: str) -> Handler:
    module = importlib.import_module(module_name)
    marked = [value for value in vars(module).values() if isinstance(getattr(value, "spec", None), ServiceSpec)]
    for handler in marked:
        if handler.spec.name == name:
            return cast(Handler, handler)
    raise InputError(f"{module_name} has no handler marked @service({name!r}, ...)")
