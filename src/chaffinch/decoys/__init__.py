"""One module a protocol: its handler is marked with `@service` and is given a bounded `Session`, never a socket."""

from chaffinch.decoys.registry import service

__all__ = ["service"]
