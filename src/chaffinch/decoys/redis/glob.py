"""Redis's glob patterns over bytes, in time bounded by pattern times text."""

Token = tuple[bool, frozenset[int]] | None
"""Which bytes fit (False: which do not); None is a star."""

_ANY: Token = (False, frozenset())


def compile_glob(pattern: bytes) -> list[Token]:
    """The steps of a pattern with `*`, `?`, `[a-z]`, `[^a]` and `\\` escapes."""
    tokens: list[Token] = []
    at = 0
    while at < len(pattern):
        byte = pattern[at]
        at += 1
        if byte == 0x2A:
            if not tokens or tokens[-1] is not None:
                tokens.append(None)
        elif byte == 0x3F:
            tokens.append(_ANY)
        elif byte == 0x5B:
            token, at = _class(pattern, at)
            tokens.append(token)
        else:
            if byte == 0x5C and at < len(pattern):
                byte = pattern[at]
                at += 1
            tokens.append((True, frozenset((byte,))))
    return tokens


def _class(pattern: bytes, at: int) -> tuple[Token, int]:
    """A bracketed class that begins after its bracket, and where it ends. An open class ends with the pattern."""
    wanted = True
    if pattern[at : at + 1] == b"^":
        wanted, at = False, at + 1
    members: set[int] = set()
    while at < len(pattern) and pattern[at] != 0x5D:
        if pattern[at] == 0x5C and at + 1 < len(pattern):
            at += 1
            members.add(pattern[at])
        elif pattern[at + 1 : at + 2] == b"-" and at + 2 < len(pattern):
            low, high = sorted((pattern[at], pattern[at + 2]))
            members.update(range(low, high + 1))
            at += 2
        else:
            members.add(pattern[at])
        at += 1
    return (wanted, frozenset(members)), at + 1


def matches(tokens: list[Token], text: bytes) -> bool:
    """Whether the whole text fits the pattern."""
    at = token = 0
    star, retry = -1, 0
    while at < len(text):
        current = tokens[token] if token < len(tokens) else (True, frozenset[int]())
        if current is None:
            star, retry = token, at
            token += 1
        elif (text[at] in current[1]) is current[0]:
            at += 1
            token += 1
        elif star >= 0:
            retry += 1
            at, token = retry, star + 1
        else:
            return False
    return all(rest is None for rest in tokens[token:])
