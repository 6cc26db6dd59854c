"""One host's web site: which answer a request gets."""

import random

import msgspec

from chaffinch.caches import remembered
from chaffinch.decoys.http import forms, pages
from chaffinch.decoys.http.answers import Answer, answer, error, gzip
from chaffinch.decoys.http.conditional import precondition, ranges, wants_gzip
from chaffinch.decoys.http.parser import Head
from chaffinch.personas.persona import Persona, Service

BODY_LIMIT = 1 << 20
"""nginx's `client_max_body_size`, in bytes."""

_CONDITIONAL = frozenset((
    b"if-match", b"if-modified-since", b"if-none-match", b"if-unmodified-since", b"range",
))  # fmt: skip


class Page(msgspec.Struct, frozen=True, gc=False):
    """A file that the server has. `modified` is in seconds since the epoch."""

    body: bytes
    modified: int
    content_type: str = "text/html"

    @property
    def etag(self) -> str:
        return f'"{self.modified:x}-{len(self.body):x}"'


class Site(msgspec.Struct, frozen=True, gc=False):
    """What a host's server has: `server` is its Server header, `directories` end in a slash."""

    persona: Persona
    server: str
    realm: str
    name: str
    kind: pages.Kind | None
    files: dict[bytes, Page]
    directories: frozenset[bytes]

    def takes_login(self, head: Head) -> bool:
        """Whether the request goes to what stands behind the login form."""
        return self.kind is not None and head.method == b"POST" and head.path == self.kind.action.encode()

    def respond(self, head: Head, port: int, source: str) -> Answer:
        """The answer to a request whose body does not matter."""
        fields = head.fields
        if head.length > BODY_LIMIT:
            return self.refuse(head, 413)
        if self.realm and not self.authorized(fields):
            challenge = ("WWW-Authenticate", f'Basic realm="{self.realm}"')
            return self.refuse(head, 401, fields=(challenge,))
        page = self.files.get(head.path)
        if page is None:
            return self._missing(head, port)
        if head.method not in (b"GET", b"HEAD"):
            return self.refuse(head, 405)
        if self.kind is not None and b"cookie" in fields and self._logged_in(fields[b"cookie"], source, head.path):
            return self._dynamic(head, pages.status(self.kind, self.name, self.persona))
        if fields.keys() & _CONDITIONAL:
            return self._conditional(head, page)
        return self._page(head, page)

    def refuse(
        self, head: Head, status: int, *, large: bool = False, fields: tuple[tuple[str, str], ...] = ()
    ) -> Answer:
        """An error's answer, as this client gets it."""
        agent = head.fields.get(b"user-agent", b"")
        return error(
            self.server,
            status,
            padded=bool(agent) and _hides_short_errors(agent),
            gzipped=wants_gzip(head.fields, head.version),
            large=large,
            head=head.bodyless,
            fields=fields,
        )

    def authorized(self, fields: dict[bytes, bytes]) -> bool:
        """Whether the Authorization header opens the realm."""
        pair = forms.basic(fields.get(b"authorization", b""))
        return pair is not None and self.accepts(*pair)

    def log_in(self, head: Head, pair: tuple[bytes, bytes] | None, source: str) -> Answer:
        """The answer to a posted login."""
        assert self.kind is not None
        if pair is None or not self.accepts(*pair):
            return self._dynamic(head, pages.form(self.kind, self.name, self.kind.failed))
        cookie = f"session={self._cookie(source)}; Path=/; HttpOnly"
        return answer(self.server, 302, content_type="", length=0, location="/", fields=(("Set-Cookie", cookie),))

    def accepts(self, user: bytes, secret: bytes) -> bool:
        return self.persona.accepts(user.decode("utf-8", "replace"), secret.decode("utf-8", "replace"))

    def _cookie(self, source: str) -> str:
        return self.persona.derive(f"http session {source}", 16).hex()

    def _logged_in(self, cookie: bytes, source: str, path: bytes) -> bool:
        return path == b"/" and b"session=" + self._cookie(source).encode() in cookie

    def _missing(self, head: Head, port: int) -> Answer:
        if head.path in self.directories:
            return self.refuse(head, 403 if head.method in (b"GET", b"HEAD", b"POST") else 405)
        if head.path + b"/" not in self.directories:
            return self.refuse(head, 404)
        host = head.host.partition(b":")[0].decode("latin-1").lower() or self.persona.address
        _, mark, query = head.target.partition(b"#")[0].partition(b"?")
        path = (head.path + b"/" + mark + query).decode("latin-1")
        place = f"http://{host}{'' if port == 80 else f':{port}'}{path}"
        moved = error(self.server, 301)
        return answer(self.server, 301, body=moved.body, location=place)

    def _page(self, head: Head, page: Page) -> Answer:
        gzipped = page.content_type == "text/html" and wants_gzip(head.fields, head.version)
        return _prepared(page, self.server, gzipped, head.bodyless)

    def _dynamic(self, head: Head, body: bytes) -> Answer:
        # What stands behind the server is always asked for the whole page; nginx compresses it for who can read it.
        content_type = "text/html; charset=utf-8"
        fields: tuple[tuple[str, str], ...] = (("Cache-Control", "no-store"),)
        if not wants_gzip(head.fields, head.version):
            return answer(self.server, 200, content_type=content_type, body=body, fields=fields)
        fields = (*fields, ("Content-Encoding", "gzip"))
        chunked = not head.bodyless
        return answer(
            self.server, 200, content_type=content_type, body=gzip(body), length=None, chunked=chunked, fields=fields
        )

    def _conditional(self, head: Head, page: Page) -> Answer:
        etag = page.etag.encode()
        status = precondition(head.fields, etag, page.modified)
        if status == 412:
            return self.refuse(head, 412)
        if status == 304:
            return answer(
                self.server, 304, content_type="", length=None, modified=page.modified, fields=(("ETag", page.etag),)
            )
        if page.content_type == "text/html" and wants_gzip(head.fields, head.version):
            return self._page(head, page)
        parts = ranges(head.fields, len(page.body), etag, page.modified)
        if parts is None:
            return self._page(head, page)
        if not parts:
            return self.refuse(head, 416, fields=(("Content-Range", f"bytes */{len(page.body)}"),))
        return _partial(page, self.server, parts)


@remembered(64)
def _prepared(page: Page, server: str, gzipped: bool, head: bool) -> Answer:
    if gzipped:
        return answer(
            server,
            200,
            content_type=page.content_type,
            body=gzip(page.body),
            length=None,
            modified=page.modified,
            chunked=not head,
            fields=(("ETag", f"W/{page.etag}"), ("Content-Encoding", "gzip")),
        )
    return answer(
        server,
        200,
        content_type=page.content_type,
        body=page.body,
        modified=page.modified,
        fields=(("ETag", page.etag), ("Accept-Ranges", "bytes")),
    )


def _partial(page: Page, server: str, parts: list[tuple[int, int]]) -> Answer:
    size = len(page.body)
    if len(parts) == 1:
        first, past = parts[0]
        fields = (("ETag", page.etag), ("Content-Range", f"bytes {first}-{past - 1}/{size}"))
        return answer(
            server,
            206,
            content_type=page.content_type,
            body=page.body[first:past],
            modified=page.modified,
            fields=fields,
        )
    mark = f"{random.randrange(1, 9999):020d}"  # nginx counts its temporary names from 1
    body = b""
    for first, past in parts:
        span = f"Content-Range: bytes {first}-{past - 1}/{size}"
        body += f"\r\n--{mark}\r\nContent-Type: {page.content_type}\r\n{span}\r\n\r\n".encode()
        body += page.body[first:past]
    body += f"\r\n--{mark}--\r\n".encode()
    kind = f"multipart/byteranges; boundary={mark}"
    return answer(server, 206, content_type=kind, body=body, modified=page.modified, fields=(("ETag", page.etag),))


def _hides_short_errors(agent: bytes) -> bool:
    if b"Opera" in agent:
        return False
    at = agent.find(b"MSIE ")
    return 0 <= at < len(agent) - 7 or (at < 0 and b"Chrome/" in agent and b"Gecko/" not in agent)


def breaks_keep_alive(agent: bytes) -> bool:
    """Whether this is a browser after whose POST nginx closes (`keepalive_disable msie6`, which means 4 to 6)."""
    at = agent.find(b"MSIE ")
    if at < 0 or b"Opera" in agent or agent[at + 6 : at + 7] != b".":
        return False
    return agent[at + 5 : at + 6] in (b"4", b"5") or (agent[at + 5 : at + 6] == b"6" and b"SV1" not in agent[at + 8 :])


_FIRST_INSTALL, _INSTALL_SPAN = 1_690_000_000, 56_000_000


@remembered(128)
def site(persona: Persona, service: Service) -> Site:
    """The host's site, from its service's options; the files' time is when the host was installed."""
    server = f"{service.product}/{service.version}" if service.version else service.product
    modified = _FIRST_INSTALL + int.from_bytes(persona.derive("http installed", 4), "big") % _INSTALL_SPAN
    kind = pages.kind_of(service)
    directories = frozenset((b"/",))
    name = ""
    if kind is None:
        page = Page(pages.welcome(service.version), modified)
        index = (
            b"/index.nginx-debian.html"
            if "(Ubuntu)" in server or persona.os.id.startswith("debian")
            else b"/index.html"
        )
        files = {b"/": page, index: page}
    else:
        name = pages.title(kind, persona, service)
        page = Page(pages.form(kind, name), modified)
        files = {b"/": page, b"/index.html": page}
        files[b"/assets/style.css"] = Page(pages.style(kind), modified, "text/css")
        directories |= {b"/assets/"}
    return Site(persona, server, service.option("realm"), name, kind, files, directories)
