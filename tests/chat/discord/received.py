"""A request as the routes are given it, and as tests look at it afterwards."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import BodyPartReader

from tests.chat.discord.refusals import Refused, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

MOST_UPLOAD_BYTES = 10 << 20
"""Of all files of a message, in a guild without boosts."""


@dataclass(frozen=True)
class File:
    """One that was uploaded."""

    name: str
    content: bytes
    content_type: str = "application/octet-stream"


@dataclass
class Received:
    method: str
    route: str
    """Method and template: `GET /channels/{channel_id}/messages`."""
    path: str
    parameters: dict[str, str]
    query: Mapping[str, str]
    at_ns: int
    """When its head was read, by `time.monotonic_ns`."""
    body: Any = None
    files: list[File] = field(default_factory=list)
    status: int = 0
    """Of the answer; 0 while there is none."""

    def number(self, name: str) -> int:
        """An id out of the path."""
        return snowflake(name, self.parameters[name])

    def asked(self, name: str) -> int | None:
        """An id out of the query."""
        return None if name not in self.query else snowflake(name, self.query[name])

    def limit(self, least: int, most: int, default: int) -> int:
        """The `limit` of a page."""
        text = self.query.get("limit", str(default))
        if not text.lstrip("-").isdecimal():
            raise invalid("limit", "NUMBER_TYPE_COERCE", f'Value "{text}" is not int.')
        if int(text) > most:
            raise invalid("limit", "NUMBER_TYPE_MAX", f"int value should be less than or equal to {most}.")
        if int(text) < least:
            raise invalid("limit", "NUMBER_TYPE_MIN", f"int value should be greater than or equal to {least}.")
        return int(text)


def snowflake(name: str, text: str) -> int:
    if not text.isdecimal():
        raise invalid(name, "NUMBER_TYPE_COERCE", f'Value "{text}" is not snowflake.')
    return int(text)


async def read_body(request: web.Request, received: Received) -> None:
    """Fill in JSON, or `payload_json` and the files of a form."""
    if request.content_type == "multipart/form-data":
        reader = await request.multipart()
        async for part in reader:
            assert isinstance(part, BodyPartReader)
            content = bytes(await part.read(decode=False))
            if part.name == "payload_json":
                received.body = json.loads(content)
            else:
                received.files.append(File(part.filename or "", content, part.headers.get("Content-Type", "")))
        if sum(len(file.content) for file in received.files) > MOST_UPLOAD_BYTES:
            raise Refused(413, 40005, "Request entity too large")
        return
    content = await request.read()
    if content:
        try:
            received.body = json.loads(content)
        except ValueError as error:
            raise Refused(400, 50109, "The request body contains invalid JSON.") from error
