"""The API: which path takes which method, who may, and what is done."""

import asyncio
import datetime
import itertools
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import unquote

import msgspec
from msgspec import UNSET

from chaffinch.chain.http import wire
from chaffinch.chain.http.auth import EVERY_TENANT, Right, Token, Tokens, require
from chaffinch.chain.http.body import decode
from chaffinch.chain.http.instant import milliseconds_of
from chaffinch.chain.http.learning import Learning
from chaffinch.chain.http.limits import JSON_BYTES, Rates
from chaffinch.chain.http.service import CHAINS, log, service_of, tenant_of
from chaffinch.chain.names import MANIFEST, check_tenant, directory_of
from chaffinch.chain.pool import Pool
from chaffinch.chain.results import Reference, Said
from chaffinch.chain.tenants import Tenants
from chaffinch.config import ServeSettings
from chaffinch.errors import InputError
from chaffinch.http.body import check_media_type
from chaffinch.http.endpoint import Endpoint, Handler
from chaffinch.http.message import Request, Response, json_response
from chaffinch.http.problem import RefusalError
from chaffinch.http.query import flag, query_of
from chaffinch.metrics.exposition import CONTENT_TYPE as METRICS_TYPE
from chaffinch.metrics.registry import Registry

NDJSON: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")
JSON: Final = ("application/json",)

T = TypeVar("T")
Names = list[str]

_generate = msgspec.json.Decoder(wire.GenerateRequest)
_merge = msgspec.json.Decoder(wire.MergeRequest)


class Api:
    """What answers for one set of chains. `tokens` may be replaced while it runs."""

    def __init__(
        self, tenants: Tenants, pool: Pool, tokens: Tokens, settings: ServeSettings, registry: Registry
    ) -> None:
        self.tokens = tokens
        self._tenants = tenants
        self._pool = pool
        self._settings = settings
        self._registry = registry
        self._rates = Rates(settings.requests_per_second)
        self._service = service_of(registry)
        self._nothing = self._endpoint("none", {})
        self._pages = {
            "/v1/chains": self._endpoint("chains", {"GET": self.list}),
            "/openapi.json": self._endpoint("openapi", {"GET": self.openapi}),
            "/healthz": self._endpoint("healthz", {"GET": self.health}),
            "/metrics": self._endpoint("metrics", {"GET": self.metrics}),
        }
        self._of_chains = {
            "": self._endpoint("chain", {"DELETE": self.remove}),
            "/generate": self._endpoint("generate", {"POST": self.generate}),
            "/merge": self._endpoint("merge", {"POST": self.merge}),
            "/messages": self._endpoint("messages", {"POST": self.learn, "DELETE": self.forget}),
            "/stats": self._endpoint("stats", {"GET": self.stats}),
        }

    async def __call__(self, request: Request) -> Response | None:
        return await self._find(request.path)(request)

    def _endpoint(self, name: str, handlers: dict[str, Handler]) -> Endpoint:
        return Endpoint(name, handlers, self._service)

    def _find(self, path: str) -> Endpoint:
        if not path.startswith(CHAINS) or path == CHAINS:
            return self._pages.get(path, self._nothing)
        _, slash, rest = path[len(CHAINS) :].partition("/")
        return self._of_chains.get(slash + rest, self._nothing)

    async def generate(self, request: Request) -> Response:
        """POST /v1/chains/{tenant}/generate"""
        token, tenant = self._admit(request, "read")
        query_of(request.query, ())
        check_media_type(request.headers, JSON)
        asked = decode(_generate, await request.body.all(JSON_BYTES))
        if fault := asked.fault():
            raise RefusalError(400, "bad_request", fault)
        if asked.references:
            require(token, "admin", [tenant])
        said = await self._say(token, tenant, asked)
        references = await self._references(tenant, said, asked.references)
        messages = [wire.Generated(one.text, one.score, one.tries) for one in said]
        for index, found in enumerate(references):
            messages[index] = msgspec.structs.replace(messages[index], references=tuple(found))
        return json_response(wire.GenerateAnswer(messages))

    async def _say(self, token: Token, tenant: str, asked: wire.GenerateRequest) -> list[Said]:
        seed = None if asked.rng_seed is UNSET else asked.rng_seed
        keywords = asked.keywords()
        if asked.mix is UNSET:
            return await self._tenants.say(tenant, asked.n, rng_seed=seed, **keywords)
        require(token, "read", list(asked.mix))
        voices = {tenant: 1} | asked.mix
        return await self._tenants.mix(list(voices.items()), asked.n, rng_seed=seed, **keywords)

    async def _references(self, tenant: str, said: list[Said], most: int) -> list[list[Reference]]:
        if not most:
            return []
        return [await self._tenants.references(tenant, one.text, most) for one in said[: wire.MOST_REFERENCED]]

    async def learn(self, request: Request) -> Response:
        """POST /v1/chains/{tenant}/messages"""
        _, tenant = self._admit(request, "write")
        skip_bad = flag(query_of(request.query, ("skip_bad",)), "skip_bad")
        check_media_type(request.headers, NDJSON)
        learning = Learning(lambda batch: self._tenants.add(tenant, batch), skip_bad)
        body = request.body.pieces(self._settings.max_body_bytes)
        return json_response(await learning.learn(body))

    async def forget(self, request: Request) -> Response:
        """DELETE /v1/chains/{tenant}/messages"""
        token, tenant = self._admit(request, "write")
        found = query_of(request.query, ("message", "author", "channel", "before"))
        if len(found) != 1:
            raise RefusalError(400, "bad_query", "give exactly one of message, author, channel and before")
        ((by, value),) = found.items()
        if by == "before":
            forgetting = self._tenants.forget(tenant, before=_moment(value))
        elif fault := wire.sought_fault(by, value):
            raise RefusalError(400, "bad_query", f"{fault}: the query parameter {by} cannot be used")
        elif by == "message":
            forgetting = self._tenants.forget(tenant, message=value)
        elif by == "author":
            forgetting = self._tenants.forget(tenant, author=value)
        else:
            forgetting = self._tenants.forget(tenant, channel=value)
        count = await _on_record(f"http.forgot by={by}", token, tenant, forgetting)
        return json_response(wire.ForgetAnswer(count))

    async def stats(self, request: Request) -> Response:
        """GET /v1/chains/{tenant}/stats"""
        _, tenant = self._admit(request, "read")
        query_of(request.query, ())
        return json_response(wire.stats_answer(await self._tenants.stats(tenant)))

    async def merge(self, request: Request) -> Response:
        """POST /v1/chains/{tenant}/merge"""
        _, tenant = self._admit(request, "write")
        query_of(request.query, ())
        sent = await request.body.all(JSON_BYTES)
        if sent or "content-type" in request.headers:
            check_media_type(request.headers, JSON)
        whole = decode(_merge, sent).whole if sent else False
        return json_response(await self._tenants.merge(tenant, whole=whole))

    async def remove(self, request: Request) -> Response:
        """DELETE /v1/chains/{tenant}"""
        token, tenant = self._admit(request, "admin")
        query_of(request.query, ())
        await _on_record("http.removed", token, tenant, self._tenants.remove(tenant))
        return json_response(wire.RemoveAnswer(tenant))

    async def list(self, request: Request) -> Response:
        """GET /v1/chains"""
        token = self._known(request)
        found = query_of(request.query, ("limit", "after"))
        limit = _whole(found.get("limit", "1000"), "limit", 1, 1000)
        after = found.get("after", "")
        if "after" in found:
            _tenant(after)
        names = await self._names(token, after, limit + 1)
        more = names[limit - 1] if len(names) > limit else None
        return json_response(wire.ChainsAnswer(names[:limit], more))

    async def _names(self, token: Token, after: str, most: int) -> Names:
        """The first chains after a name that the token reaches, sorted. Of others not even the directory is read."""
        if token.tenants == EVERY_TENANT:
            return [name for name in await self._tenants.list() if name > after][:most]
        mine = sorted(name for name in set(token.tenants) if name > after)
        state = self._tenants.state
        return await self._pool.submit(lambda: _there(state, mine, most), operation="list", wait=True)

    async def openapi(self, request: Request) -> Response:
        """GET /openapi.json"""
        from chaffinch.chain.http.openapi import document

        query_of(request.query, ())
        return Response(200, document(self._settings.max_body_bytes))

    async def health(self, request: Request) -> Response:
        """GET /healthz"""
        query_of(request.query, ())
        return json_response(wire.HealthAnswer())

    async def metrics(self, request: Request) -> Response:
        """GET /metrics"""
        from chaffinch.metrics.exposition import render

        token = self._known(request)
        query_of(request.query, ())
        if not token.may("metrics"):
            raise RefusalError(403, "forbidden", "this token has no right to metrics: use one that has")
        return Response(200, render(self._registry.snapshot()), METRICS_TYPE)

    def _known(self, request: Request) -> Token:
        """The token of the request, counted against its rate."""
        token = self.tokens.of(request.headers.get("authorization", ""))
        self._rates.take(token.name)
        return token

    def _admit(self, request: Request, right: Right) -> tuple[Token, str]:
        """The token and the tenant of the path, if the token has the right there."""
        token = self._known(request)
        tenant = _tenant(_percent_decoded(tenant_of(request)))
        require(token, right, [tenant])
        return token, tenant


async def _on_record(event: str, token: Token, tenant: str, doing: Awaitable[T]) -> T:
    """Do what takes something away, and log who asked for that, even if nobody waited for its end."""
    try:
        done = await doing
    except asyncio.CancelledError:
        log.info("%s token=%r tenant=%s done=unknown", event, token.name, tenant)
        raise
    log.info("%s token=%r tenant=%s done=%s", event, token.name, tenant, "all" if done is None else done)
    return done


def _there(state: Path, tenants: Sequence[str], most: int) -> Names:
    """The first of these that have a chain."""
    chains = (one for one in tenants if (directory_of(state, one) / MANIFEST).is_file())
    return list(itertools.islice(chains, most))


def _tenant(name: str) -> str:
    try:
        return check_tenant(name)
    except InputError as error:
        raise RefusalError(400, "bad_tenant", str(error)) from None


def _percent_decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict") if "%" in text else text
    except UnicodeDecodeError:
        raise RefusalError(400, "bad_tenant", "the path is not percent-encoded UTF-8: encode it so") from None


def _whole(text: str, name: str, least: int, most: int) -> int:
    if text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most:
        return int(text)
    raise RefusalError(
        400, "bad_query", f"the query parameter {name} is {text[:40]!r}: give a number from {least} to {most}"
    )


def _moment(text: str) -> datetime.datetime:
    """The moment that a query names; outside of the years that Python knows it is the first or the last one."""
    try:
        milliseconds = milliseconds_of(text)
    except ValueError as error:
        raise RefusalError(400, "bad_query", f"the query parameter before: {error}; write + as %2B") from None
    try:
        return _EPOCH + datetime.timedelta(milliseconds=milliseconds)
    except OverflowError:
        return _LAST if milliseconds > 0 else _FIRST


_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_FIRST: Final = datetime.datetime.min.replace(tzinfo=datetime.UTC)
_LAST: Final = datetime.datetime.max.replace(tzinfo=datetime.UTC)
