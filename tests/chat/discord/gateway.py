"""The gateway, version 10 (https://discord.com/developers/docs/events/gateway)."""

from __future__ import annotations

import json
import secrets
import time
from collections import deque
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.chat.discord import intents, payloads
from tests.chat.discord.connection import MOST_BYTES, Connection
from tests.chat.discord.intents import Intent

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chat.discord.messages import Message
    from tests.chat.discord.places import Guild
    from tests.chat.discord.world import World

MOST_EVENTS = 10_000
"""Events that a session keeps to send them again."""
SENDS, SEND_SECONDS = 120, 60.0
"""What a client may send in which time."""
MOST_MEMBERS = 100
"""Of whom a client may ask by id at once."""


class Op(IntEnum):
    DISPATCH = 0
    HEARTBEAT = 1
    IDENTIFY = 2
    PRESENCE = 3
    VOICE_STATE = 4
    RESUME = 6
    RECONNECT = 7
    REQUEST_MEMBERS = 8
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11


class Close(IntEnum):
    UNKNOWN_OP = 4001
    UNDECODABLE = 4002
    NOT_IDENTIFIED = 4003
    BAD_TOKEN = 4004
    IDENTIFIED_TWICE = 4005
    TOO_FAST = 4008
    INVALID_VERSION = 4012
    INVALID_INTENTS = 4013
    DISALLOWED_INTENTS = 4014


class Session:
    """What a client identified for; it outlives its connection."""

    def __init__(self, wanted: int) -> None:
        self.id = secrets.token_hex(16)
        self.intents = wanted
        self.sequence = 0
        self.events: deque[tuple[int, bytes]] = deque(maxlen=MOST_EVENTS)
        self.connection: Connection | None = None

    def dispatch(self, name: str, data: Any, on_sent: Callable[[int], None] | None = None) -> None:
        self.sequence += 1
        payload = payloads.encode({"op": Op.DISPATCH, "t": name, "s": self.sequence, "d": data})
        self.events.append((self.sequence, payload))
        if self.connection is not None:
            self.connection.send_encoded(payload, on_sent)

    def replay(self, after: int) -> bool:
        """Send again what came after a sequence number; False if that is not kept."""
        kept_from = self.events[0][0] if self.events else self.sequence + 1
        if self.connection is None or after > self.sequence or after + 1 < kept_from:
            return False
        for number, payload in self.events:
            if number > after:
                self.connection.send_encoded(payload, None)
        return True


class Gateway:
    """`identified` and `resumed` have what clients sent. Faults are attributes and calls."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.url = ""
        self.allowed = intents.PRIVILEGED
        """Privileged intents that are switched on in the portal."""
        self.heartbeat_ms = 41_250
        self.acknowledges = True
        """Off: heartbeats get no answer, as on a dead connection."""
        self.resumes = True
        """Off: no session can be resumed."""
        self.tells_members = True
        """Off: who asks for members gets no answer."""
        self.frame_bytes: int | None = None
        self.refuses = 0
        """So many connections get a 503 and none."""
        self.starts_left = 1000
        self.sessions: dict[str, Session] = {}
        self.connections: list[Connection] = []
        self.identified: list[dict[str, Any]] = []
        self.resumed: list[dict[str, Any]] = []
        self.presences: list[dict[str, Any]] = []
        self.members_asked: list[dict[str, Any]] = []
        self.heartbeats = 0

    # What the fake sends.

    def dispatch(
        self,
        name: str,
        data: Any,
        needs: Intent = intents.NONE,
        *,
        message: Message | None = None,
        on_sent: Callable[[int], None] | None = None,
    ) -> None:
        """Send an event to every session that asked for it; of a `message` only what the session may read."""
        for session in self.sessions.values():
            if needs and not session.intents & needs:
                continue
            is_open = message is None or intents.shows_content(message, session.intents, self.world.bot)
            session.dispatch(name, data if is_open else intents.without_content(data), on_sent)

    def announce(self, guild: Guild, *, joined: bool = False) -> None:
        """GUILD_CREATE: of a guild that the bot joined, or that is there again."""
        for session in self.sessions.values():
            self._announce_to(session, guild, joined=joined)

    def _announce_to(self, session: Session, guild: Guild, *, joined: bool = False) -> None:
        if session.intents & Intent.GUILDS and guild.me is not None and not guild.is_out:
            event = payloads.guild_event(guild, with_members=bool(session.intents & Intent.GUILD_PRESENCES))
            # Clients tell a new guild from one that is there again by whether that is said.
            session.dispatch("GUILD_CREATE", event if joined else event | {"unavailable": False})

    # Faults.

    def drop(self) -> None:
        """Cut every connection without a word; sessions can be resumed."""
        for connection in self.connections:
            connection.drop()

    def close(self, code: int) -> None:
        """Close every connection with a code, as Discord does."""
        for connection in self.connections:
            connection.close(code)

    def reconnect(self) -> None:
        """Tell every client to connect anew."""
        for connection in self.connections:
            connection.send({"op": Op.RECONNECT, "d": None})

    def invalidate(self, *, resumable: bool) -> None:
        """Tell every client that its session is over, or that it should resume it."""
        if not resumable:
            self.sessions.clear()
        for connection in self.connections:
            connection.send({"op": Op.INVALID_SESSION, "d": resumable})

    # What clients send.

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        if self.refuses:
            self.refuses -= 1
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse(max_msg_size=1 << 20)
        await socket.prepare(request)
        connection = Connection(request, socket)
        connection.frame_bytes = self.frame_bytes
        self.connections.append(connection)
        if request.query.get("v") != "10" or request.query.get("compress") not in (None, "zlib-stream"):
            connection.close(Close.INVALID_VERSION)
        connection.send({"op": Op.HELLO, "d": {"heartbeat_interval": self.heartbeat_ms, "_trace": []}})
        session: Session | None = None
        sent: deque[float] = deque(maxlen=SENDS)
        try:
            while (received := await connection.received()) is not None:
                if len(sent) == SENDS and sent[0] > time.monotonic() - SEND_SECONDS:
                    connection.close(Close.TOO_FAST)
                sent.append(time.monotonic())
                session = self._receive(connection, session, received)
        finally:
            self.connections.remove(connection)
            if session is not None and session.connection is connection:
                session.connection = None
                if socket.close_code in (1000, 1001) and not connection.is_closing:
                    self.sessions.pop(session.id, None)
            await connection.end()
        return socket

    def _receive(self, connection: Connection, session: Session | None, received: bytes) -> Session | None:
        """The connection's session from now on."""
        try:
            sent = json.loads(received)
            op, data = Op(sent["op"]), sent.get("d")
        except (ValueError, KeyError, TypeError):
            connection.close(Close.UNDECODABLE)
            return session
        if len(received) > MOST_BYTES:
            connection.close(Close.UNDECODABLE)
        elif op is Op.HEARTBEAT:
            self.heartbeats += 1
            if self.acknowledges:
                connection.send({"op": Op.HEARTBEAT_ACK})
        elif op is Op.IDENTIFY:
            return self._identify(connection, session, data)
        elif op is Op.RESUME:
            return self._resume(connection, data)
        elif session is None:
            connection.close(Close.NOT_IDENTIFIED)
        elif op is Op.PRESENCE:
            self.presences.append(data)
        elif op is Op.REQUEST_MEMBERS:
            self._chunk(session, data)
        elif op is not Op.VOICE_STATE:
            connection.close(Close.UNKNOWN_OP)
        return session

    def _identify(self, connection: Connection, session: Session | None, data: dict[str, Any]) -> Session | None:
        self.identified.append(data)
        wanted = data["intents"]
        refused = None
        if session is not None:
            refused = Close.IDENTIFIED_TWICE
        elif data["token"] != self.world.token:
            refused = Close.BAD_TOKEN
        elif wanted & ~intents.KNOWN:
            refused = Close.INVALID_INTENTS
        elif wanted & intents.PRIVILEGED & ~self.allowed:
            refused = Close.DISALLOWED_INTENTS
        if refused is not None:
            connection.close(refused)
            return session
        self.starts_left -= 1
        session = Session(wanted)
        session.connection = connection
        self.sessions[session.id] = session
        guilds = [guild for guild in self.world.guilds.values() if guild.me is not None]
        session.dispatch(
            "READY",
            {
                "v": 10,
                "user": payloads.user(self.world.bot) | {"verified": True, "mfa_enabled": True, "email": None},
                "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
                "session_id": session.id,
                "resume_gateway_url": self.url,
                "shard": data.get("shard", [0, 1]),
                "application": {"id": str(self.world.bot.id), "flags": self.application_flags()},
            },
        )
        for guild in guilds:
            self._announce_to(session, guild)
        return session

    def application_flags(self) -> int:
        return sum(flag for intent, flag in intents.APPLICATION_FLAGS.items() if self.allowed & intent)

    def _resume(self, connection: Connection, data: dict[str, Any]) -> Session | None:
        self.resumed.append(data)
        if data["token"] != self.world.token:
            connection.close(Close.BAD_TOKEN)
            return None
        session = self.sessions.get(data["session_id"])
        if session is not None and self.resumes:
            session.connection = connection
            if session.replay(data["seq"] or 0):
                session.dispatch("RESUMED", {"_trace": []})
                return session
        self.sessions.pop(data["session_id"], None)
        connection.send({"op": Op.INVALID_SESSION, "d": False})
        return None

    def _chunk(self, session: Session, data: dict[str, Any]) -> None:
        """GUILD_MEMBERS_CHUNK: members by id or by how their names begin, a thousand at once. All of them are told to
        who has the intent for that.
        """
        self.members_asked.append(data)
        guild = self.world.guilds.get(int(data["guild_id"]))
        is_all = data.get("user_ids") is None and not data.get("query")
        if guild is None or guild.me is None or not self.tells_members:
            return
        if is_all and not session.intents & Intent.GUILD_MEMBERS:
            return
        found = list(guild.members.values())
        missing: list[str] = []
        if data.get("user_ids") is not None:
            asked = data["user_ids"] if isinstance(data["user_ids"], list) else [data["user_ids"]]
            asked = asked[:MOST_MEMBERS]
            found = [guild.members[int(one)] for one in asked if int(one) in guild.members]
            missing = [str(one) for one in asked if int(one) not in guild.members]
        else:
            found = [member for member in found if member.name.startswith(data.get("query", ""))]
            found = found[: data["limit"] or None]
        chunks = [found[start : start + 1000] for start in range(0, len(found), 1000)] or [[]]
        for index, chunk in enumerate(chunks):
            event = {
                "guild_id": str(guild.id),
                "members": [payloads.member(member) for member in chunk],
                "chunk_index": index,
                "chunk_count": len(chunks),
                "not_found": missing,
            }
            session.dispatch("GUILD_MEMBERS_CHUNK", event | ({"nonce": data["nonce"]} if "nonce" in data else {}))
