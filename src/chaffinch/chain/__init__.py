"""Chains: Markov text engines that learn messages, make new ones, and forget.

`Chain` is one open chain; `Tenants` keeps many behind a `Pool` of threads. Importing this package loads nothing: a name
brings its module in when it is first used.
"""

TYPE_CHECKING = False  # that of `typing`, which would cost a megabyte
if TYPE_CHECKING:
    from chaffinch._core import Ask, redact
    from chaffinch.chain.candidate import Candidate, configuration_of
    from chaffinch.chain.engine import Asked, Chain, mix
    from chaffinch.chain.errors import (
        BusyError,
        DamagedError,
        LockedError,
        NothingNewError,
        UnknownTenantError,
    )
    from chaffinch.chain.names import check_tenant, directory_of, tenants_in
    from chaffinch.chain.pool import Pool
    from chaffinch.chain.removal import remove
    from chaffinch.chain.results import (
        Added,
        Bad,
        Cut,
        Merged,
        Message,
        Options,
        Reference,
        Said,
        Stats,
        Trained,
        Verified,
    )
    from chaffinch.chain.tenants import Tenants

__all__ = [
    "Added",
    "Ask",
    "Asked",
    "Bad",
    "BusyError",
    "Candidate",
    "Chain",
    "Cut",
    "DamagedError",
    "LockedError",
    "Merged",
    "Message",
    "NothingNewError",
    "Options",
    "Pool",
    "Reference",
    "Said",
    "Stats",
    "Tenants",
    "Trained",
    "UnknownTenantError",
    "Verified",
    "check_tenant",
    "configuration_of",
    "directory_of",
    "mix",
    "redact",
    "remove",
    "tenants_in",
]

_HOMES = {
    "chaffinch._core": ("Ask", "redact"),
    "chaffinch.chain.candidate": ("Candidate", "configuration_of"),
    "chaffinch.chain.engine": ("Asked", "Chain", "mix"),
    "chaffinch.chain.errors": ("BusyError", "DamagedError", "LockedError", "NothingNewError", "UnknownTenantError"),
    "chaffinch.chain.names": ("check_tenant", "directory_of", "tenants_in"),
    "chaffinch.chain.pool": ("Pool",),
    "chaffinch.chain.removal": ("remove",),
    "chaffinch.chain.results": (
        "Added",
        "Bad",
        "Cut",
        "Merged",
        "Message",
        "Options",
        "Reference",
        "Said",
        "Stats",
        "Trained",
        "Verified",
    ),
    "chaffinch.chain.tenants": ("Tenants",),
}


def __getattr__(name: str) -> object:
    import importlib

    for module, names in _HOMES.items():
        if name in names:
            found: object = getattr(importlib.import_module(module), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
