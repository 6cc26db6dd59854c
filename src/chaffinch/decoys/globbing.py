"""Names against the patterns that visitors type: `*`, `?`, `[...]`.

`fnmatch.fnmatchcase` would keep 32,768 compiled patterns: 200 MB of those that a visitor can make up.
"""

import fnmatch
import re

from chaffinch.caches import remembered

PATTERN_CHARACTERS = 256
"""How much of a pattern counts."""


@remembered(64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern))


def matches(name: str, pattern: str) -> bool:
    """Whether the whole name fits the pattern."""
    return _compiled(pattern[:PATTERN_CHARACTERS]).match(name) is not None
