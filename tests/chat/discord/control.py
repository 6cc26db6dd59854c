"""The fake from another process: people act and tests look by HTTP, below `/_world`.

Times are `time.monotonic_ns`, which all processes of a machine share.
"""

from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.chat.discord.payloads import encode
from tests.chat.discord.received import File

if TYPE_CHECKING:
    from tests.chat.discord.fake import Fake
    from tests.chat.discord.interactions import Asked
    from tests.chat.discord.messages import Message
    from tests.chat.discord.people import Member
    from tests.chat.discord.places import Channel, Guild

Json = dict[str, Any]


class Control:
    """Guilds, channels and members are named; the guild is the first one unless a body or query says another."""

    def __init__(self, fake: Fake) -> None:
        self._fake = fake
        self._by_id: dict[int, Asked] = {}

    def add_to(self, application: web.Application) -> None:
        for path, handler in {
            "say": self.say,
            "edit": self.edit,
            "delete": self.delete,
            "slash": self.slash,
            "press": self.press,
            "choose": self.choose,
            "advance": self.advance,
            "fault": self.fault,
            "gateway": self.gateway,
            "token": self.token,
        }.items():
            application.router.add_post(f"/_world/{path}", self._acting(handler))
        application.router.add_get("/_world", self.world)
        application.router.add_get("/_world/counts", self.counts)
        application.router.add_get("/_world/posted", self.posted)
        application.router.add_get("/_world/interactions/{id}", self.interaction)

    def _acting(self, handler: Any) -> Any:
        async def act(request: web.Request) -> web.Response:
            try:
                return _json(handler(await request.json()))
            except (AssertionError, LookupError, StopIteration, TypeError) as error:
                return _json({"error": f"{type(error).__name__}: {error}"}, 400)

        return act

    def _guild(self, body: Any) -> Guild:
        name = body.get("guild")
        guilds = self._fake.world.guilds.values()
        return next(guild for guild in guilds if name in (None, guild.name, str(guild.id)))

    def _channel(self, body: Any) -> Channel:
        return self._guild(body).channel(body["channel"])

    def _member(self, body: Any) -> Member:
        return self._guild(body).member(body["member"])

    def _message(self, body: Json) -> Message:
        """Of a channel, or an answer to an interaction that perhaps one person alone sees."""
        message_id = int(body["message"])
        message = self._channel(body).history.get(message_id)
        if message is not None:
            return message
        answers = (one for asked in self._by_id.values() for one in asked.answers)
        return next(one for one in answers if one.id == message_id)

    def say(self, body: Json) -> Json:
        message = self._fake.say(self._member(body), self._channel(body), body.get("text", ""))
        return {"message": str(message.id)}

    def edit(self, body: Json) -> Json:
        self._fake.edit(self._message(body), body["text"])
        return {}

    def delete(self, body: Json) -> Json:
        self._fake.delete(self._message(body))
        return {}

    def slash(self, body: Json) -> Json:
        options = {name: self._option(body, value) for name, value in body.get("options", {}).items()}
        return self._asked(self._fake.slash(self._member(body), self._channel(body), body["command"], options))

    def _option(self, body: Json, value: Any) -> Any:
        """`{"channel": "general"}`, `{"member": ..}`, `{"role": ..}`, `{"file": name, "content": base64}`, or plain."""
        if not isinstance(value, dict):
            return value
        guild = self._guild(body)
        if "file" in value:
            return File(value["file"], base64.b64decode(value["content"]))
        kind, name = next(iter(value.items()))
        return {"channel": guild.channel, "member": guild.member, "role": guild.role}[kind](name)

    def press(self, body: Json) -> Json:
        return self._asked(self._fake.press(self._member(body), self._message(body), body["custom_id"]))

    def choose(self, body: Json) -> Json:
        message = self._message(body)
        return self._asked(self._fake.choose(self._member(body), message, body["custom_id"], body["values"]))

    def _asked(self, asked: Asked) -> Json:
        self._by_id[asked.id] = asked
        return {"interaction": str(asked.id)}

    def advance(self, body: Json) -> Json:
        self._fake.world.clock.advance(body["seconds"])
        return {}

    def fault(self, body: Json) -> Json:
        """What `Faults.add` takes."""
        self._fake.faults.add(**body)
        return {}

    def gateway(self, body: Json) -> Json:
        """`{"do": "drop"}`, `"reconnect"`, `"close"` with `code`, `"invalidate"` with `resumable`."""
        do = body.pop("do")
        acts = {"drop", "reconnect", "close", "invalidate"}
        if do not in acts:
            raise LookupError(f"no {do!r}; there are {sorted(acts)}")
        getattr(self._fake.gateway, do)(**body)
        return {}

    def token(self, body: Json) -> Json:
        """Another `token` is the bot's from now on; who is connected with the one before is cut off."""
        self._fake.world.token = body["token"]
        self._fake.gateway.close(4004)
        return {}

    async def world(self, request: web.Request) -> web.Response:
        world = self._fake.world
        guilds = [
            {
                "id": str(guild.id),
                "name": guild.name,
                "channels": {channel.name: str(channel.id) for channel in guild.channels.values()},
                "members": {member.name: str(member.id) for member in guild.members.values()},
                "messages": sum(len(channel.history) for channel in guild.channels.values()),
            }
            for guild in world.guilds.values()
        ]
        return _json({"url": self._fake.url, "token": world.token, "bot": str(world.bot.id), "guilds": guilds})

    async def counts(self, request: web.Request) -> web.Response:
        """Of the last requests, by route and status; what the gateway has connected."""
        found = Counter(f"{one.route} {one.status}" for one in self._fake.rest.requests)
        sessions = len(self._fake.gateway.sessions)
        refused = self._fake.limits.refused
        unknown = self._fake.rest.unknown
        return _json({"requests": found, "sessions": sessions, "refused": refused, "unknown": unknown})

    async def posted(self, request: web.Request) -> web.Response:
        """What the bot said in `channel`, after the message `after` if that is given."""
        after = int(request.query.get("after", 0))
        said = [one for one in self._fake.posted(self._channel(request.query)) if one.id > after]
        return _json([_shown(one) for one in said])

    async def interaction(self, request: web.Request) -> web.Response:
        asked = self._by_id[int(request.match_info["id"])]
        found = {"sent_ns": asked.sent_ns, "callback_ns": asked.callback_ns, "callback": asked.callback}
        return _json(found | {"answers": [_shown(one) for one in asked.answers]})


def _shown(one: Message) -> Json:
    return {
        "id": str(one.id),
        "content": one.content,
        "embeds": one.embeds,
        "components": one.components,
        "attachments": [attached.name for attached in one.attachments],
        "is_ephemeral": one.is_ephemeral,
        "posted_ns": one.posted_ns,
        "reply_to": one.reply_to and str(one.reply_to.id),
        "replied_ns": one.posted_ns - one.reply_to.sent_ns if one.reply_to else None,
    }


def _json(found: Any, status: int = 200) -> web.Response:
    return web.Response(body=encode(found), status=status, content_type="application/json")
