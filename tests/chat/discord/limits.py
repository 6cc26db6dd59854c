"""Rate limits as Discord answers with them (https://discord.com/developers/docs/topics/rate-limits)."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field

MAJOR = ("channel_id", "guild_id", "webhook_id", "token")
"""Each value of these has a bucket of its own."""
GENEROUS = (1_000_000, 1.0)
REAL = {
    "GET /channels/{channel_id}/messages": (5, 5.0),
    "POST /channels/{channel_id}/messages": (5, 5.0),
    "PATCH /channels/{channel_id}/messages/{message_id}": (5, 5.0),
    "DELETE /channels/{channel_id}/messages/{message_id}": (5, 1.0),
    "POST /channels/{channel_id}/typing": (5, 5.0),
    "POST /webhooks/{webhook_id}/{token}": (5, 2.0),
    "PATCH /webhooks/{webhook_id}/{token}/messages/{message_id}": (5, 2.0),
    "GET /channels/{channel_id}/threads/archived/public": (10, 10.0),
    "GET /channels/{channel_id}/threads/archived/private": (10, 10.0),
    "POST /attachments/refresh-urls": (10, 10.0),
}
"""By route: requests in seconds, as a live bot sees them in the headers; all others have `OTHERS`."""
OTHERS = (10, 1.0)
REAL_GLOBAL = 50
"""Requests of all kinds in a second."""


@dataclass
class _Window:
    resets_at: float
    used: int = 0


@dataclass(frozen=True)
class Verdict:
    """On one request."""

    headers: dict[str, str]
    retry_after: float | None = None
    """Seconds, where it is refused."""
    is_global: bool = False


@dataclass
class Limits:
    """By default generous ones, so that a client sees headers and never waits."""

    buckets: dict[str, tuple[int, float]] = field(default_factory=dict)
    others: tuple[int, float] = GENEROUS
    in_all: int = GENEROUS[0]
    refused: int = 0
    """Requests that got a 429."""
    _windows: dict[str, _Window] = field(default_factory=dict)

    @classmethod
    def real(cls) -> Limits:
        return cls(dict(REAL), OTHERS, REAL_GLOBAL)

    def _take(self, key: str, most: int, seconds: float, now: float) -> _Window:
        window = self._windows.get(key)
        if window is None or window.resets_at <= now:
            if len(self._windows) > 10_000:
                self._windows = {name: one for name, one in self._windows.items() if one.resets_at > now}
            window = self._windows[key] = _Window(now + seconds)
        window.used += 1
        if window.used > most:
            self.refused += 1
        return window

    def judge(self, route: str, parameters: dict[str, str]) -> Verdict:
        """Count one request; those of interactions are outside of the limit in all."""
        now = time.monotonic()
        if not route.startswith(("POST /interactions", "POST /webhooks", "PATCH /webhooks")):
            window = self._take("", self.in_all, 1.0, now)
            if window.used > self.in_all:
                wait = round(window.resets_at - now + 0.001, 3)
                headers = {"Retry-After": str(int(wait) + 1), "X-RateLimit-Global": "true", "Via": "1.1 google"}
                return Verdict(headers | {"X-RateLimit-Scope": "global"}, wait, is_global=True)
        most, seconds = self.buckets.get(route, self.others)
        major = ":".join(parameters[name] for name in MAJOR if name in parameters)
        window = self._take(f"{route} {major}", most, seconds, now)
        left = round(window.resets_at - now + 0.001, 3)
        headers = {
            "X-RateLimit-Limit": str(most),
            "X-RateLimit-Remaining": str(max(0, most - window.used)),
            "X-RateLimit-Reset": f"{time.time() + left:.3f}",
            "X-RateLimit-Reset-After": f"{left:.3f}",
            "X-RateLimit-Bucket": hashlib.md5(route.encode()).hexdigest(),
            "Via": "1.1 google",
        }
        if window.used <= most:
            return Verdict(headers)
        return Verdict(headers | {"Retry-After": str(int(left) + 1), "X-RateLimit-Scope": "user"}, left)
