"""What Discord says when it does not do what it was asked (https://discord.com/developers/docs/topics/opcodes-and-status-codes)."""

from __future__ import annotations

from typing import Any


class Refused(Exception):  # noqa: N818  # a refusal is an answer
    """An answer with `status` and Discord's own `code`."""

    def __init__(self, status: int, code: int, message: str, errors: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.errors = status, code, message, errors

    def payload(self) -> dict[str, Any]:
        found: dict[str, Any] = {"message": self.message, "code": self.code}
        return found if self.errors is None else found | {"errors": self.errors}


def unauthorized() -> Refused:
    return Refused(401, 0, "401: Unauthorized")


def unknown(code: int, what: str) -> Refused:
    return Refused(404, code, f"Unknown {what}")


UNKNOWN_CHANNEL, UNKNOWN_GUILD, UNKNOWN_MEMBER, UNKNOWN_MESSAGE = 10003, 10004, 10007, 10008
UNKNOWN_USER, UNKNOWN_WEBHOOK, UNKNOWN_INTERACTION, UNKNOWN_COMMAND = 10013, 10015, 10062, 10063


def missing_access() -> Refused:
    return Refused(403, 50001, "Missing Access")


def missing_permissions() -> Refused:
    return Refused(403, 50013, "Missing Permissions")


def invalid(field: str, code: str, message: str) -> Refused:
    """A body or query whose `field` (names joined by points) is wrong."""
    errors: dict[str, Any] = {"_errors": [{"code": code, "message": message}]}
    for name in reversed(field.split(".")):
        errors = {name: errors}
    return Refused(400, 50035, "Invalid Form Body", errors)
