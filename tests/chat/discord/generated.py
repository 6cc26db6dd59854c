"""History that is made up when it is asked for: the same at every time, and a million messages take no memory."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import TYPE_CHECKING

from tests.chat.discord import payloads, snowflakes
from tests.chat.discord.messages import JOINED, Attachment, Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chat.discord.people import User
    from tests.chat.discord.places import Channel

WORDS = 4000
PHRASES = 8192
_SYLLABLES = "ba be bo da de do fi fo ga go ka ke ki la le li lo ma me mi mo na ne ni no pa pe ra re ri ro sa se si so ta te ti to va vi wa".split()  # noqa: E501, SIM905

IMAGE_EVERY = 20
SYSTEM_EVERY = 97
BOT_EVERY = 31
_STRIDE = 0x9E3779B97F4A7C15
"""Odd, so that multiplying by it modulo a power of two repeats nothing (Knuth's multiplicative hash of 64 bits)."""


@cache
def phrases() -> tuple[str, ...]:
    """Runs of words that are used about as often as words of a language are."""
    dice = random.Random(6)
    words = ["".join(dice.choices(_SYLLABLES, k=dice.randint(1, 4))) for _ in range(WORDS)]
    weights = [1 / (rank + 3) for rank in range(WORDS)]
    return tuple(" ".join(dice.choices(words, weights, k=dice.randint(3, 7))) for _ in range(PHRASES))


class Generated:
    """`count` messages of a channel, one each `step_ms` from `first_ms` on, of `authors` in turn.

    Some have an image, some are Discord's own, some a bot's: see the constants above.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        count: int,
        first_ms: int,
        step_ms: int,
        authors: Sequence[User],
        robot: User,
        seed: int = 0,
    ) -> None:
        self.channel, self.count, self.first_ms, self.step_ms = channel, count, first_ms, step_ms
        self._authors, self._robot, self._seed = authors, robot, seed
        self._low = channel.id % (1 << snowflakes.BITS)
        self._users = {user.id: json.dumps(payloads.user(user)) for user in (*authors, robot)}

    def id(self, index: int) -> int:
        return snowflakes.made(self.first_ms + index * self.step_ms, self._low)

    def index(self, message_id: int) -> int | None:
        """Which one has that id."""
        index, rest = divmod(snowflakes.time_of(message_id) - self.first_ms, self.step_ms)
        return index if not rest and 0 <= index < self.count and self.id(index) == message_id else None

    def count_below(self, before: int | None) -> int:
        """How many have a lower id."""
        if before is None:
            return self.count
        index = max(0, min(self.count, (snowflakes.time_of(before) - self.first_ms) // self.step_ms))
        return index + (index < self.count and self.id(index) < before)

    def _draw(self, index: int) -> int:
        return ((index + 1) * _STRIDE + self._seed * 0x5851F42D4C957F2D + self._low) % (1 << 64) >> 7

    def text(self, index: int) -> str:
        """Two or three phrases."""
        drawn = self._draw(index)
        pool = phrases()
        text = f"{pool[drawn % PHRASES]} {pool[(drawn >> 13) % PHRASES]}"
        return f"{text} {pool[(drawn >> 26) % PHRASES]}" if drawn >> 39 & 1 else text

    def author(self, index: int) -> User:
        if index % BOT_EVERY == BOT_EVERY - 1:
            return self._robot
        return self._authors[self._draw(index) % len(self._authors)]

    def _attachments(self, index: int, message_id: int) -> list[Attachment]:
        if index % IMAGE_EVERY != IMAGE_EVERY - 1:
            return []
        return [Attachment(message_id + 1, self.channel.id, f"image{index}.png", 1000 + index % 500)]

    def message(self, index: int) -> Message:
        message_id = self.id(index)
        is_system = index % SYSTEM_EVERY == SYSTEM_EVERY - 1
        return Message(
            id=message_id,
            channel=self.channel,
            author=self.author(index),
            content="" if is_system else self.text(index),
            attachments=[] if is_system else self._attachments(index, message_id),
            type=JOINED if is_system else 0,
        )

    def encoded(self, index: int) -> bytes:
        """As `payloads.message` would be, at once."""
        if index % IMAGE_EVERY == IMAGE_EVERY - 1 or index % SYSTEM_EVERY == SYSTEM_EVERY - 1:
            return payloads.encode(payloads.message(self.message(index)))
        written = snowflakes.stamp(self.first_ms + index * self.step_ms)
        return (
            f'{{"id":"{self.id(index)}","channel_id":"{self.channel.id}","author":{self._users[self.author(index).id]},'
            f'"content":"{self.text(index)}","timestamp":"{written}","edited_timestamp":null,"tts":false,'
            '"mention_everyone":false,"mentions":[],"mention_roles":[],"attachments":[],"embeds":[],"components":[],'
            '"pinned":false,"type":0,"flags":0}'
        ).encode()
