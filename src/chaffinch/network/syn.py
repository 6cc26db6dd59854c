"""Reading the SYN that the kernel kept (`TCP_SAVE_SYN`): an IP header followed by a TCP header."""

from chaffinch.events import Syn

TIMESTAMPS, TIMESTAMPS_LENGTH = 8, 10
"""RFC 7323, section 3.2."""

HIDDEN_TIMESTAMPS = 136
"""The kind that timestamps are given where the kernel is not to see them (`netns.looks`); IANA has it as reserved."""

_NAMES = {0: "eol", 1: "nop", 2: "mss", 3: "ws", 4: "sok", 5: "sack", TIMESTAMPS: "ts", HIDDEN_TIMESTAMPS: "ts"}
_IPV4_DF = 0x4000


def parse(packet: bytes) -> Syn | None:
    """The SYN's look, or None when the bytes are not a whole IPv4 or IPv6 header with a TCP header (RFC 791, 8200,
    9293).
    """
    if len(packet) < 40:
        return None
    version = packet[0] >> 4
    if version == 4:
        start, ttl = (packet[0] & 0x0F) * 4, packet[8]
        df = bool(int.from_bytes(packet[6:8], "big") & _IPV4_DF)
    elif version == 6:
        start, ttl, df = 40, packet[7], False
    else:
        return None
    tcp = packet[start:]
    if start < 20 or len(tcp) < 20:
        return None
    names, mss, scale = _options(tcp[20 : (tcp[12] >> 4) * 4])
    return Syn(ttl=ttl, window=int.from_bytes(tcp[14:16], "big"), mss=mss, scale=scale, options=names, df=df)


def _options(data: bytes) -> tuple[tuple[str, ...], int, int]:
    names: list[str] = []
    mss, scale = 0, -1
    at = 0
    while at < len(data):
        kind = data[at]
        names.append(_NAMES.get(kind, f"?{kind}"))
        if kind == 0:
            break
        if kind == 1:
            at += 1
            continue
        length = data[at + 1] if at + 1 < len(data) else 0
        if length < 2:
            break  # a length that cannot be: what follows means nothing
        value = data[at + 2 : at + length]
        if kind == 2 and len(value) == 2:
            mss = int.from_bytes(value, "big")
        elif kind == 3 and len(value) == 1:
            scale = value[0]
        at += length
    return tuple(names), mss, scale
