"""nginx, or a device whose pages nginx serves.

The options that it reads: `page` (a name in `pages.KINDS`), `title` and `model` for a device's login page, `realm` for
HTTP Basic authentication on everything. Without any it is the Debian package as installed. `product` and `version` make
the Server header: `nginx` and `1.18.0 (Ubuntu)` answer as `nginx/1.18.0 (Ubuntu)`.
"""

from chaffinch.decoys.http.conversation import HEAD_SECONDS, converse
from chaffinch.decoys.registry import service
from chaffinch.decoys.session import Session


# nginx has no answer for one connection more than `worker_connections`: it closes, which is what `refuse` defaults to.
@service("http", tcp=80, idle=HEAD_SECONDS, bytes_in=64 << 20)
async def serve(session: Session) -> None:
    # Nothing is built for a client that only connects: before its first byte it holds this frame and a read.
    data = await session.read()
    if data:
        await converse(session, data)
