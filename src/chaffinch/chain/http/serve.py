"""`chaffinch chain serve`: bind, answer until told to stop, let what runs end, close the chains."""

import asyncio
import contextlib
import logging
import signal
import socket
from pathlib import Path
from typing import Final

from chaffinch.chain.http.app import Api
from chaffinch.chain.http.auth import Tokens, load_tokens, make_tokens_file
from chaffinch.chain.pool import Pool
from chaffinch.chain.tenants import Tenants
from chaffinch.config import LOG_FORMAT, ChainSettings, Config, ServeSettings
from chaffinch.errors import InputError, RunError
from chaffinch.http.doors import Doors
from chaffinch.http.limits import LINGERING
from chaffinch.http.listening import address_of, allow_files, is_loopback, shown_host
from chaffinch.http.server import Server, tell
from chaffinch.metrics import memory
from chaffinch.metrics.registry import Registry

TOKENS_FILE: Final = "chain-tokens.toml"
"""In the state directory, unless `chain.serve.tokens_file` names another."""

TOKEN_FILE: Final = "chain-token"  # noqa: S105 - the name of a file
"""Beside it: the token that was made with it."""

SPARE_DESCRIPTORS: Final = 64
"""Files that the process has open besides connections and chains."""


def serve(config: Config, state: Path) -> int:
    """Serve the chains below `state` until SIGTERM or SIGINT; SIGHUP reads the tokens file again. The exit code.

    Raises `InputError` for settings or a tokens file that cannot be used, `RunError` when the port cannot be had.
    """
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    _allow_descriptors(config.chain)
    with contextlib.closing(bound(config.chain.serve)) as listener:
        path = Path(config.chain.serve.tokens_file or state / TOKENS_FILE)
        tokens = _tokens(config.chain.serve, path, listener)
        asyncio.run(_serve(config.chain, state, path, tokens, listener))
    return 0


async def _serve(chain: ChainSettings, state: Path, path: Path, tokens: Tokens, listener: socket.socket) -> None:
    registry = Registry()
    async with (
        Pool(chain.threads, chain.queue, registry, slow_ms=chain.slow_ms) as pool,
        Tenants(state, pool, chain, registry) as tenants,
    ):
        memory.export(registry)
        api = Api(tenants, pool, tokens, chain.serve, registry)
        doors = Doors(chain.serve.connections, registry.counter("chain_http_connections_refused", "reason"))
        registry.gauge("chain_http_connections", lambda: len(doors.open))
        server = Server(api, doors, chain.serve.drain_seconds)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.stop)
        loop.add_signal_handler(signal.SIGHUP, _reload, api, path)
        _announce(listener)
        await server.run(listener)


def bound(settings: ServeSettings) -> socket.socket:
    """The listening socket. Raises `InputError` for an address that is none, `RunError` when it cannot be had."""
    address = address_of(settings.address, settings.port, "set chain.serve.address")
    try:
        return address.listen(min(settings.connections, 4096))
    except OSError as error:
        why = error.strerror or error
        raise RunError(
            f"the API cannot listen on {settings.address} port {settings.port} ({why}): set chain.serve.port, "
            "or chain.serve.address"
        ) from None


def _tokens(settings: ServeSettings, path: Path, listener: socket.socket) -> Tokens:
    """The tokens of the file; on loopback one is made if there is none and none is named."""
    if not settings.tokens_file and not path.exists():
        if not is_loopback(listener.getsockname()[0]):
            raise InputError(
                f"{settings.address} can be reached from other machines, and there are no tokens: set "
                "chain.serve.tokens_file, or serve on 127.0.0.1 once, which makes one"
            )
        plain = path.with_name(TOKEN_FILE)
        make_tokens_file(path, plain)
        tell(f"made {path} with one token, which may do everything and is in {plain}")
    tokens = load_tokens(path)
    if not tokens:
        raise InputError(f"the tokens file {path} has no token: add one, docs/chain-http.md says how")
    return tokens


def _allow_descriptors(chain: ChainSettings) -> None:
    """Raises `InputError` if this process may not open as many files as it needs."""
    needed = chain.serve.connections + LINGERING + 2 * chain.open_chains + SPARE_DESCRIPTORS
    allow_files(needed, "lower chain.serve.connections or chain.open_chains, or raise the limit (`ulimit -n`)")


def _announce(listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    shown = shown_host(host)
    tell(f"serving chains on http://{shown}:{port}; SIGTERM stops, SIGHUP reads the tokens file again")
    if not is_loopback(host):
        tell(
            f"warning: {shown} can be reached from other machines, and tokens go over the network as they are: "
            "put a proxy with TLS in front, or set chain.serve.address to 127.0.0.1"
        )


def _reload(api: Api, path: Path) -> None:
    """Read the tokens again; a file that cannot be used changes nothing."""
    try:
        api.tokens = load_tokens(path)
    except InputError as error:
        tell(f"the tokens stay as they were: {error}")
    else:
        tell(f"read {path} again; tokens: {len(api.tokens)}")
