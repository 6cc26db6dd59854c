"""`stats`: the statistics of memcached 1.6.18 in their order, this host's own, growing with time and use."""

import math
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from chaffinch.decoys.memcached.cache import Cache, size_of
from chaffinch.decoys.memcached.text import BAD_FORMAT, CHUNK_SIZES, ERROR, signed, slab_class
from chaffinch.decoys.session import Session

Lines = Iterator[tuple[str, object]]


@cache
def _table(name: str) -> tuple[tuple[str, str], ...]:
    lines = Path(__file__).parent.joinpath(name).read_text().splitlines()
    pairs = (line.partition(" ") for line in lines if not line.startswith("#"))
    return tuple((key, value) for key, _, value in pairs)


def general(session: Session, items: Cache) -> list[tuple[str, object]]:
    """Names and values of plain `stats`."""
    figures = _figures(session, items)
    return [(name, figures.get(name, value)) for name, value in _table("general.txt")]


def _figures(session: Session, items: Cache) -> dict[str, object]:
    persona, now = session.persona, time.time()
    dice = persona.random("memcached stats")
    up = max(1, int(now - persona.booted(now)) - dice.randrange(4, 15))
    rate = dice.uniform(0.05, 2.5)
    gets = int(up * rate)
    hits = int(gets * dice.uniform(0.6, 0.95))
    sets = gets - hits + int(up * rate * 0.1)
    connections = 3 + up // dice.randrange(40, 400)
    current = 2 + dice.randrange(1, 5) + int(math.sin(now / 300) + 1)
    live = items.live()
    base: dict[str, int] = {
        "cmd_get": gets,
        "cmd_set": sets,
        "get_hits": hits,
        "get_misses": gets - hits,
        "get_expired": (gets - hits) // 20,
        "delete_hits": up // 900,
        "delete_misses": up // 7000,
        "incr_hits": up // 61,
        "bytes_read": gets * 41 + sets * 640,
        "bytes_written": gets * 27 + hits * 610,
        "total_items": sets,
        "expired_unfetched": sets // 17,
        "reclaimed": sets // 11,
        "lru_maintainer_juggles": up + up // 9,
        "lru_crawler_starts": 1 + up // 3600 * 2,
        "moves_to_cold": sets // 2,
        "moves_to_warm": sets // 9,
        "moves_within_lru": sets // 30,
    }
    counted = {name: base.get(name, 0) + count for name, count in items.counts.items()}
    buffers = current * 16384
    fixed: dict[str, object] = {
        "pid": dice.randrange(380, 1400),
        "uptime": up,
        "time": int(now),
        "version": session.service.version,
        "rusage_user": f"{up * 0.000041:.6f}",
        "rusage_system": f"{up * 0.000078:.6f}",
        "curr_connections": current,
        "total_connections": connections + 1,
        "connection_structures": current + 3,
        "response_obj_count": 1,
        "response_obj_bytes": 16384 + current * 4096,
        "read_buf_count": current + 4,
        "read_buf_bytes": buffers + 65536,
        "read_buf_bytes_free": buffers,
        "bytes": sum(size_of(key, item.data) for key, item in live),
        "curr_items": len(live),
    }
    return {**base, **counted, **fixed}


def reply(session: Session, items: Cache, words: list[bytes]) -> bytes:
    """The reply to `stats` and its words."""
    what = words[1] if len(words) > 1 else b""
    if what == b"":
        return _shown(general(session, items))
    if what == b"settings":
        return _shown(settings(session))
    if what in (b"items", b"slabs", b"conns", b"sizes", b"extstore"):
        lines = {b"items": _items, b"slabs": _slabs}
        if what in lines:
            return _shown(lines[what](items))
        return _shown(_connections(session) if what == b"conns" else _sizes() if what == b"sizes" else ())
    if what == b"reset":
        items.counts.clear()
        return b"RESET\r\n"
    if what == b"cachedump":
        return _dump(items, words)
    if what == b"detail":
        known = {b"on": b"OK\r\n", b"off": b"OK\r\n", b"dump": b"END\r\n"}
        return known.get(words[2] if len(words) > 2 else b"", b"CLIENT_ERROR usage: stats detail on|off|dump\r\n")
    status = {b"sizes_enable": b"enabled", b"sizes_disable": b"disabled"}.get(what)
    return ERROR if status is None else b"STAT sizes_status %b\r\n" % status


def settings(session: Session) -> list[tuple[str, object]]:
    """Names and values of `stats settings`; the service's options replace the defaults."""
    own = {"tcpport": str(session.service.port), "inter": "0.0.0.0"}  # noqa: S104  # what the product would say
    option = session.service.option
    return [(name, option(name, own.get(name, value))) for name, value in _table("settings.txt")]


def _shown(lines: Iterator[tuple[str, object]] | list[tuple[str, object]] | tuple[()]) -> bytes:
    return "".join(f"STAT {name} {value}\r\n" for name, value in lines).encode() + b"END\r\n"


def _by_class(items: Cache) -> dict[int, list[int]]:
    """Sizes of the items by slab class."""
    found: dict[int, list[int]] = {}
    for key, item in items.live():
        size = size_of(key, item.data)
        found.setdefault(slab_class(size), []).append(size)
    return dict(sorted(found.items()))


_ITEM_ZEROS = [
    "evicted", "evicted_nonzero", "evicted_time", "outofmemory", "tailrepairs", "reclaimed",
    "expired_unfetched", "evicted_unfetched", "evicted_active", "crawler_reclaimed", "crawler_items_checked",
    "lrutail_reflocked", "moves_to_cold", "moves_to_warm", "moves_within_lru", "direct_reclaims", "hits_to_hot",
    "hits_to_warm", "hits_to_cold", "hits_to_temp",
]  # fmt: skip


def _items(items: Cache) -> Lines:
    now = time.time()
    oldest = int(now - min((item.seen for item in items.items.values()), default=now))
    for number, sizes in _by_class(items).items():
        cold = len(sizes) - 1
        figures: list[tuple[str, int]] = [
            *(("number", len(sizes)), ("number_hot", 1), ("number_warm", 0), ("number_cold", cold)),
            *(("age_hot", 0), ("age_warm", 0), ("age", oldest), ("mem_requested", sum(sizes))),
            *((name, 0) for name in _ITEM_ZEROS),
        ]
        yield from ((f"items:{number}:{name}", value) for name, value in figures)


def _slabs(items: Cache) -> Lines:
    found = _by_class(items)
    for number, sizes in found.items():
        chunk = CHUNK_SIZES[number - 1]
        page = (1 << 20) // chunk
        pages = -(-len(sizes) // page)
        figures = [
            *(("chunk_size", chunk), ("chunks_per_page", page), ("total_pages", pages), ("total_chunks", page * pages)),
            *(("used_chunks", len(sizes)), ("free_chunks", page * pages - len(sizes)), ("free_chunks_end", 0)),
            *(
                ("get_hits", items.counts.get("get_hits", 0)),
                ("cmd_set", len(sizes)),
                ("delete_hits", 0),
                ("incr_hits", 0),
            ),
            *(("decr_hits", 0), ("cas_hits", 0), ("cas_badval", 0), ("touch_hits", 0)),
        ]
        yield from ((f"{number}:{name}", value) for name, value in figures)
    yield "active_slabs", len(found)
    yield "total_malloced", max(1, len(found)) << 20


def _connections(session: Session) -> Lines:
    listen = f"tcp:{session.address}:{session.service.port}"
    yield "26:addr", f"tcp:0.0.0.0:{session.service.port}"
    yield "26:state", "conn_listening"
    yield "26:secs_since_last_cmd", int(time.time()) % 97
    yield "28:addr", f"tcp:{session.source}:{session.source_port}"
    yield "28:listen_addr", listen
    yield "28:state", "conn_parse_cmd"
    yield "28:secs_since_last_cmd", 0


def _sizes() -> Lines:
    yield "sizes_status", "disabled"


def _dump(items: Cache, words: list[bytes]) -> bytes:
    """`stats cachedump CLASS LIMIT`."""
    if len(words) < 4:
        return b"CLIENT_ERROR bad command line\r\n"
    number, limit = signed(words[2]), signed(words[3])
    if number is None or limit is None:
        return BAD_FORMAT
    if not 0 <= number < 64:
        return b"CLIENT_ERROR Illegal slab id\r\n"
    found = [(key, item) for key, item in reversed(items.live()) if slab_class(size_of(key, item.data)) == number]
    lines = (
        b"ITEM %b [%d b; %d s]\r\n" % (key, len(item.data), int(item.expires))
        for key, item in (found[:limit] if limit else found)
    )
    return b"".join(lines) + b"END\r\n"
