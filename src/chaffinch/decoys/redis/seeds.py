"""The keys that a host's Redis holds when nobody has touched it: an application's sessions, cache and counters.

They follow from the persona and the time: counters grow, sessions come and go on a schedule, and nothing is stored.
"""

from collections.abc import Iterator

import msgspec

from chaffinch.personas.persona import Persona

Seed = tuple[bytes, bytes | list[bytes] | set[bytes] | dict[bytes, bytes] | dict[bytes, float], int]
"""A key, its value, and when it expires (milliseconds since the epoch; 0: never)."""

SESSION_SECONDS = 7200
"""How long a web session lives: each of the slots begins a new one when its last has expired."""


def seeded(persona: Persona, now: float) -> Iterator[Seed]:
    """The host's keys at `now` (seconds since the epoch)."""
    if persona_option(persona) == "empty":
        return
    dice = persona.random("redis keys")
    application = dice.choice(("app", "web", "shop", "portal", "crm", "api"))
    prefix = application.encode()
    for slot in range(dice.randrange(4, 9)):
        yield _session(persona, prefix, slot, dice.randrange(SESSION_SECONDS), now)
    for name, floor, per_day in (
        ("visits", 40_000, 900),
        ("logins", 2_000, 45),
        ("errors", 30, 3),
        ("orders", 300, 17),
    ):
        base, rate = dice.randrange(floor, floor * 8), dice.uniform(per_day * 0.5, per_day * 4)
        grown = base + int((now - 1_672_531_200) / 86400 * rate)
        yield prefix + b":stats:" + name.encode(), b"%d" % grown, 0
    version = f"{dice.randrange(1, 5)}.{dice.randrange(20)}.{dice.randrange(10)}".encode()
    yield (
        prefix + b":config",
        {
            b"version": version,
            b"maintenance": b"0",
            b"smtp_host": b"mail." + persona.domain.encode(),
            b"locale": b"en_US",
        },
        0,
    )
    yield (
        prefix + b":feature_flags",
        {b"new_checkout", b"beta_search", b"audit_log"} if dice.random() < 0.7 else {b"audit_log"},
        0,
    )
    online = [user.name.encode() for user in persona.users if user.uid >= 1000] or [b"admin"]
    yield prefix + b":users:last_seen", {name: float(int(now) - dice.randrange(60, 90_000)) for name in online}, 0
    jobs = [b'{"job":"mail.digest","id":%d,"attempts":0}' % dice.randrange(10_000, 99_999) for _ in range(3)]
    yield b"queue:default", jobs[: 1 + int(now / 600 + dice.random()) % 3], 0
    expiry = (int(now / 900) + 1) * 900_000
    page = b'{"page":"/","etag":"%s","bytes":%d}' % (
        persona.derive("redis etag", 8).hex().encode(),
        dice.randrange(4000, 60_000),
    )
    yield b"cache:page:index", page, expiry


def persona_option(persona: Persona) -> str:
    """What the service's `keyspace` option says: `empty` for a server that holds nothing."""
    service = persona.service("redis")
    return service.option("keyspace", "app") if service is not None else "app"


def _json(**fields: object) -> bytes:
    """An object as the application writes it."""
    return msgspec.json.encode(fields)


def _session(persona: Persona, prefix: bytes, slot: int, phase: int, now: float) -> Seed:
    turn = int((now + phase) // SESSION_SECONDS)
    began = turn * SESSION_SECONDS - phase
    dice = persona.random(f"redis session {slot} {turn}")
    users = [user for user in persona.users if user.uid >= 1000] or list(persona.users)
    name = dice.choice(users).name if users else "admin"
    ip = f"10.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(2, 250)}"
    body = _json(user=name, ip=ip, csrf=f"{dice.getrandbits(128):032x}", login=began + dice.randrange(30))
    key = prefix + b":session:%032x" % dice.getrandbits(128)
    return key, body, (began + SESSION_SECONDS) * 1000
