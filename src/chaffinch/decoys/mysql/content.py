"""The application's data on a host: made from the host's own randomness, the same on every visit, never stored."""

import base64
import random
import time
from collections.abc import Callable, Iterator

import msgspec

from chaffinch.decoys.mysql.results import Row
from chaffinch.personas.persona import Persona


class Field(msgspec.Struct, frozen=True):
    """A column of a table as its definition says; `default` is None where there is none."""

    name: str
    type: str
    null: bool = False
    key: str = ""
    default: str | None = None
    extra: str = ""


_ID = Field("id", "int(10) unsigned", key="PRI", extra="auto_increment")
_CREATED = Field("created_at", "datetime", default="current_timestamp()")

TABLES: dict[str, tuple[Field, ...]] = {
    "customers": (
        _ID,
        Field("email", "varchar(120)", key="UNI"),
        Field("name", "varchar(80)"),
        Field("phone", "varchar(24)", null=True),
        Field("city", "varchar(60)", null=True),
        Field("balance", "decimal(10,2)", default="0.00"),
        _CREATED,
    ),
    "orders": (
        _ID,
        Field("customer_id", "int(10) unsigned", key="MUL"),
        Field("status", "varchar(16)", default="new"),
        Field("total", "decimal(10,2)"),
        Field("card_last4", "char(4)", null=True),
        _CREATED,
    ),
    "settings": (
        _ID,
        Field("name", "varchar(64)", key="UNI"),
        Field("value", "varchar(255)", null=True),
    ),
    "users": (
        _ID,
        Field("username", "varchar(40)", key="UNI"),
        Field("email", "varchar(120)"),
        Field("password_hash", "char(60)"),
        Field("role", "varchar(16)", default="staff"),
        Field("last_login", "datetime", null=True),
        _CREATED,
    ),
}

_SCHEMAS = ("shop", "crm", "billing", "webapp", "store", "portal", "inventory", "bookings")
_FIRST = (
    *("Anna", "Ben", "Carla", "David", "Elena", "Frank", "Grace", "Henry", "Ines", "Jonas"),
    *("Karen", "Liam", "Maria", "Nils", "Olivia", "Peter", "Rosa", "Simon", "Tina", "Victor"),
)
_LAST = (
    *("Adams", "Becker", "Carter", "Dietz", "Ellis", "Fischer", "Garcia", "Hughes", "Ivanov", "Jensen", "Keller"),
    *("Lopez", "Meyer", "Nolan", "Olsen", "Price", "Quinn", "Rossi", "Schmidt", "Turner", "Vogel", "Weber", "Young"),
)
_CITIES = (
    "Bristol",
    "Dresden",
    "Ghent",
    "Graz",
    "Leeds",
    "Lyon",
    "Malmo",
    "Porto",
    "Tampere",
    "Turin",
    "Utrecht",
    "Vigo",
)
_MAIL = ("example.com", "example.net", "example.org")
_STATUS = ("new", "paid", "paid", "shipped", "shipped", "shipped", "returned")
_DAY = 86400


def schema_name(persona: Persona) -> str:
    """The application's schema on this host: the service option `database`, or one of a few usual names."""
    service = persona.service("mysql")
    named = service.option("database") if service else ""
    return named or persona.random("mysql schema").choice(_SCHEMAS)


def rows(persona: Persona, table: str) -> Iterator[Row]:
    """The table's rows, oldest first."""
    return _ROWS[table](persona, persona.random(f"mysql {table}"))


def count(persona: Persona, table: str) -> int:
    """How many rows the table has."""
    if table == "users":
        return len(_staff(persona))
    if table == "settings":
        return len(_SETTINGS)
    return persona.random(f"mysql count {table}").randrange(120, 480)


def _moments(persona: Persona, numbers: random.Random, amount: int) -> Iterator[str]:
    """`amount` growing times from two years before the host's first day on."""
    at = 1_650_000_000 + persona.reboot_phase % (200 * _DAY)
    for _ in range(amount):
        at += numbers.randrange(600, 2 * _DAY)
        yield time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))


def _customers(persona: Persona, numbers: random.Random) -> Iterator[Row]:
    amount = count(persona, "customers")
    for number, created in enumerate(_moments(persona, numbers, amount), 1):
        first, last = numbers.choice(_FIRST), numbers.choice(_LAST)
        email = f"{first}.{last}{number}@{numbers.choice(_MAIL)}".lower()
        phone = f"+00 555 {numbers.randrange(10**6):06d}" if numbers.random() < 0.7 else None
        balance = numbers.randrange(0, 90000) / 100
        yield number, email, f"{first} {last}", phone, numbers.choice(_CITIES), balance, created


def _orders(persona: Persona, numbers: random.Random) -> Iterator[Row]:
    customers = count(persona, "customers")
    for number, created in enumerate(_moments(persona, numbers, count(persona, "orders")), 1):
        total = numbers.randrange(499, 49900) / 100
        card = f"{numbers.randrange(10000):04d}" if numbers.random() < 0.8 else None
        yield number, numbers.randrange(1, customers + 1), numbers.choice(_STATUS), total, card, created


_SETTINGS = ("site_name", "support_email", "smtp_host", "currency", "maintenance_mode", "session_lifetime", "api_key")


def _settings(persona: Persona, numbers: random.Random) -> Iterator[Row]:
    values = (
        persona.domain.partition(".")[0].capitalize(),
        f"support@{persona.domain}",
        f"mail.{persona.domain}",
        "EUR",
        "0",
        "7200",
        numbers.randbytes(20).hex(),
    )
    for number, (name, value) in enumerate(zip(_SETTINGS, values, strict=True), 1):
        yield number, name, value


def _staff(persona: Persona) -> list[str]:
    return ["admin", *(user.name for user in persona.users if user.uid >= 1000)][:40]


def _users(persona: Persona, numbers: random.Random) -> Iterator[Row]:
    staff = _staff(persona)
    for number, (name, created) in enumerate(zip(staff, _moments(persona, numbers, len(staff)), strict=True), 1):
        # The shape of a bcrypt hash; no password belongs to it.
        digest = base64.b64encode(numbers.randbytes(40), b"./").decode()[:53]
        seen = persona.booted(time.time()) - numbers.randrange(_DAY)
        last_login = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seen))
        role = "admin" if number == 1 else "staff"
        yield number, name, f"{name}@{persona.domain}", f"$2y$10${digest}", role, last_login, created


_ROWS: dict[str, Callable[[Persona, random.Random], Iterator[Row]]] = {
    "customers": _customers,
    "orders": _orders,
    "settings": _settings,
    "users": _users,
}
