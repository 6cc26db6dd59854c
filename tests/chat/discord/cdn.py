"""The CDN: attachments at addresses that are signed and expire; what else is asked for is a small picture."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from tests.chat.discord.world import World

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8ffff3f0005fe02fea7a6a0a20000000049454e44ae426082"
)
"""One white pixel."""
GONE = "This content is no longer available."
CHUNK = 16 << 10


class Cdn:
    """`asked` has the path of every request. The others are faults, of every download until they are reset."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.asked: list[str] = []
        self.expired = 0
        """Requests for an address that was too old or wrongly signed."""
        self.status = 0
        """Answer with this instead."""
        self.delay = 0.0
        """Seconds before an answer begins."""
        self.is_endless = False
        """Bodies without length and end."""
        self.is_silent = False
        """Bodies that stop coming in their middle."""

    def add_to(self, application: web.Application) -> None:
        application.router.add_get("/attachments/{channel}/{id}/{name}", self.attachment)
        for kind in ("embed", "avatars", "icons", "banners", "app-icons"):
            application.router.add_get(f"/{kind}/{{rest:.*}}", self.asset)

    async def asset(self, request: web.Request) -> web.StreamResponse:
        return web.Response(body=PNG, content_type="image/png")

    async def attachment(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        await asyncio.sleep(self.delay)
        if self.status:
            return web.Response(status=self.status)
        if not self._is_good(request):
            self.expired += 1
            return web.Response(status=404, text=GONE)
        content, kind = self._content(request)
        if content is None:
            return web.Response(status=404, text=GONE)
        if self.is_endless:
            return await self._pour(request, kind)
        if self.is_silent:
            return await self._stop_midway(request, content)
        return web.Response(body=content, content_type=kind)

    def _is_good(self, request: web.Request) -> bool:
        expires, issued, signature = (request.query.get(name, "") for name in ("ex", "is", "hm"))
        try:
            is_fresh = int(expires, 16) > self.world.clock.now()
        except ValueError:
            return False
        return is_fresh and signature == self.world.signature(request.path, f"ex={expires}&is={issued}")

    def _content(self, request: web.Request) -> tuple[bytes | None, str]:
        """Of an upload itself, of a generated message's attachment a picture of the size that it declares."""
        attachment = self.world.attachments.get(int(request.match_info["id"]))
        if attachment is not None:
            return attachment.content, attachment.content_type
        channel = self.world.channels.get(int(request.match_info["channel"]))
        message = channel.history.get(int(request.match_info["id"]) - 1) if channel else None
        if message is None or not message.attachments:
            return None, ""
        return PNG.ljust(message.attachments[0].size, b"\0"), "image/png"

    async def _pour(self, request: web.Request, kind: str) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": kind})
        await answer.prepare(request)
        while request.transport is not None and not request.transport.is_closing():
            await answer.write(bytes(CHUNK))
            await asyncio.sleep(0)
        return answer

    async def _stop_midway(self, request: web.Request, content: bytes) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.content_length = len(content)
        await answer.prepare(request)
        await answer.write(content[: len(content) // 2])
        while request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0.02)
        return answer
