"""`--tokens auto`: what a token should be, by the letters of the first messages."""

import json
import lzma
import re
import zlib
from pathlib import Path
from typing import Literal

MESSAGES = 1000
PEEK_BYTES = 256 << 10
XZ_BYTES = 128 << 20
"""What looking into an xz file may take: a hostile one asks for gigabytes."""

_SPACELESS = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u1b00-\u1b7f\u2e80-\u2fdf\u3005-\u3007"
    "\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3040-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua000-\ua4cf\ua980-\ua9ff\uaa60-\uaadf\uf900-\ufaff\uff66-\uff9f\U0001aff0-\U0001b16f\U00020000-\U0002fa1f"
    "\U00030000-\U000323af]"
)
"""Letters of scripts without spaces between words: the blocks of the core's own table."""

_TEXT = re.compile(r'"(?:text|message|content)"\s*:\s*("(?:[^"\\]|\\.)*")')
"""A message's text in JSON of any of the formats."""


def suggested(path: Path) -> Literal["words", "segments"]:
    """Segments if three in ten letters of the first messages are of scripts without spaces; else words.

    Words also for what cannot be looked into from here: a stream, zstd, what cannot be read.
    """
    letters = "".join(_messages(_first(path).decode("utf-8", "ignore"))[:MESSAGES])
    count = sum(map(str.isalpha, letters))
    spaceless = sum(map(str.isalpha, "".join(_SPACELESS.findall(letters))))
    return "segments" if count and spaceless * 10 >= count * 3 else "words"


def _first(path: Path) -> bytes:
    """The first bytes of what is in the file; none if they cannot be had."""
    if not path.is_file():
        return b""
    try:
        with open(path, "rb") as file:
            packed = file.read(PEEK_BYTES)
        if packed.startswith(b"\x1f\x8b"):
            return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(packed, PEEK_BYTES)
        if packed.startswith(b"\xfd7zXZ\x00"):
            return lzma.LZMADecompressor(memlimit=XZ_BYTES).decompress(packed, PEEK_BYTES)
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        return b""
    return packed


def _messages(text: str) -> list[str]:
    if not text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return text.splitlines()
    return [_unquoted(one) for one in _TEXT.findall(text)]


def _unquoted(quoted: str) -> str:
    try:
        return str(json.loads(quoted, strict=False))
    except json.JSONDecodeError:
        return ""
