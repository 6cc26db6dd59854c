"""A client of tests that sees every byte: requests as they are sent, answers as they come."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import msgspec

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Answer(msgspec.Struct, frozen=True):
    """What a server said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def request(
    method: str,
    path: str,
    body: bytes | dict[str, Any] | Iterable[dict[str, Any]] | None = None,
    token: str = "",
    headers: dict[str, str] | None = None,
) -> bytes:
    """The bytes of a request. A dict is sent as JSON, several as NDJSON."""
    fields = {"Host": "127.0.0.1"}
    if token:
        fields["Authorization"] = f"Bearer {token}"
    if isinstance(body, dict):
        body = json.dumps(body).encode()
        fields["Content-Type"] = "application/json"
    elif body is not None and not isinstance(body, bytes):
        body = b"".join(json.dumps(one).encode() + b"\n" for one in body)
        fields["Content-Type"] = "application/x-ndjson"
    if body is not None:
        fields["Content-Length"] = str(len(body))
    fields |= headers or {}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "\r\n"]
    return "\r\n".join(lines).encode() + (body or b"")


def chunk(data: bytes) -> bytes:
    """One chunk of a body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def head_of(head: str) -> tuple[int, dict[str, str]]:
    """The status and the headers of an answer, by name in lower case."""
    first, *fields = head.split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    return int(first.split()[1]), headers


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """One answer with its body, as Content-Length says."""
    async with asyncio.timeout(20):
        status, headers = head_of((await reader.readuntil(b"\r\n\r\n"))[:-4].decode("ascii"))
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(status, headers, body)


async def rest(streams: Streams) -> bytes:
    """What the server says until it closes."""
    try:
        return await streams[0].read()
    finally:
        streams[1].close()


async def closed_with(streams: Streams) -> Answer:
    """The one answer after which the server closes."""
    answer = await read_answer(streams[0])
    assert answer.headers["connection"] == "close"
    assert await rest(streams) == b""
    return answer
