"""A file that came with `/train`: from Discord's CDN to the state directory, as a stream and bounded."""

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

from chaffinch.chat.seen import Attached
from chaffinch.errors import InputError, RunError

CHUNK: Final = 64 << 10
"""Bytes that are read at once."""

HEAD_BYTES: Final = 64 << 10
"""Of a file that begins with an object, as much tells an export of Discord from one message a line."""

_EXPORTED: Final = re.compile(rb'"(?:guild|messages)"\s*:')
"""Members of DiscordChatExporter's object; it begins with `guild`."""

DOWNLOAD_SECONDS: Final = 300.0


def is_at(url: str, origins: Collection[str]) -> bool:
    """Whether an address is of one of these origins: nothing else is fetched because somebody names it."""
    return url.startswith(tuple(f"{origin}/" for origin in origins))


def name_of(guild: int) -> str:
    """Where a guild's file is kept until it is learned, in the state directory."""
    return f"bot/train-{guild}.json"


async def fetch(file: Attached, path: Path, most: int, origins: Collection[str]) -> None:
    """Store an attachment, whole or not at all. `origins` (scheme, host and port) are where Discord keeps them.

    Raises `InputError` for one that is too large, that is no JSON, or that is not Discord's, and `RunError` for one
    that could not be fetched or stored.
    """
    if file.bytes > most:
        raise _too_large(file, most)
    if not is_at(file.url, origins):
        raise InputError(f"{file.name} is not on Discord's servers: attach the file to the command")
    part = path.with_suffix(".part")
    try:
        await _stream(file, part, most)
        _check(file, part)
        part.replace(path)
    except OSError as error:
        raise RunError(f"{file.name} could not be stored ({error.strerror}): free room and train again") from None
    finally:
        part.unlink(missing_ok=True)


async def _stream(file: Attached, part: Path, most: int) -> None:
    import aiohttp

    part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    timeout = aiohttp.ClientTimeout(total=DOWNLOAD_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(file.url, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as response,
        ):
            if response.status != 200:
                raise RunError(f"{file.name} could not be fetched (status {response.status}): attach it again")
            with part.open("wb") as out:
                written = 0
                async for chunk in response.content.iter_chunked(CHUNK):
                    written += len(chunk)
                    if written > most:
                        raise _too_large(file, most)
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
    except (aiohttp.ClientError, TimeoutError):
        raise RunError(f"{file.name} could not be fetched from Discord: train again") from None


def _check(file: Attached, path: Path) -> None:
    """What is no JSON would be learned line by line, and what is compressed has no bound."""
    if _first(path) not in (b"[", b"{"):
        raise InputError(
            f"{file.name} is no JSON: attach a list of messages, or what DiscordChatExporter writes as JSON, unpacked"
        )


def refuse_other(file: Attached, path: Path, guild: int) -> None:
    """Raises `InputError` for an export that says it is of another guild: what is said in one is not to be heard in
    another.
    """
    from chaffinch.chat.older.exports import guild_of

    of = guild_of(path)
    if of not in (None, guild):
        whose = f"another server, {of}" if of else "direct messages"
        raise InputError(f"{file.name} is of {whose}: attach one of this server, nothing of one is heard in another")


def discard(state: Path, used: Collection[Path]) -> None:
    """Remove what a kill left of files that no training is to learn."""
    for path in (state / "bot").glob("train-*"):
        if path not in used:
            path.unlink(missing_ok=True)


def format_of(path: Path) -> str:
    """What the chain is to read it as: never lines, as which settings with a token in them, or any other JSON that has
    no messages, would be learned.
    """
    with path.open("rb") as read:
        begin = read.read(HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    if begin.startswith(b"["):
        return "json"
    return "discord" if _EXPORTED.search(begin) else "ndjson"


def _first(path: Path) -> bytes:
    """What a file begins with, after a mark of byte order and white space; nothing where more than 1 KiB is of that."""
    with path.open("rb") as read:
        return read.read(1024).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]


def _too_large(file: Attached, most: int) -> InputError:
    size = max(file.bytes, most)
    return InputError(
        f"{file.name} has {size:,} bytes, and the most is {most:,} (bot.import_bytes): "
        "split it, or have it learned with chaffinch chain train"
    )
