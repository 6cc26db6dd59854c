"""The page at `/`: a live view of the test that runs. A document, its style and its script, in files of their own.

The page is the same for everybody and holds nothing; what it shows it asks `/status` for. Its policy lets nothing else
run, be loaded or be asked.
"""

import base64
import functools
import hashlib
from pathlib import Path
from typing import Final

from chaffinch.http.message import Response

SCRIPTS: Final = ("figures.js", "live.js")
"""In their order; the first one knows of no document."""


@functools.cache
def live_page() -> Response:
    """The answer: 30 KB, read and put together when it is asked for the first time."""
    from chaffinch.load.report.page import COLOURED

    style = COLOURED + _text("live.css")
    script = "".join(map(_text, SCRIPTS))
    document = _text("live.html")
    body = document.replace("{style}", style).replace("{script}", script).encode()
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return Response(200, body, "text/html; charset=utf-8", headers)


def _text(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
