"""The control API: which path takes which method, and what is done."""

from collections.abc import Collection
from typing import Final

import msgspec

from chaffinch.http.body import check_encoding
from chaffinch.http.endpoint import Endpoint, Handler
from chaffinch.http.message import Request, Response, json_response
from chaffinch.http.problem import RefusalError, stopping
from chaffinch.http.query import query_of
from chaffinch.load.metrics.exposition import TEXT
from chaffinch.load.scenario.nodes import MOST_BYTES
from chaffinch.load.serve.admission import Admission
from chaffinch.load.serve.conductor import Conductor
from chaffinch.load.serve.live import live_page
from chaffinch.load.serve.page import Page
from chaffinch.load.serve.service import service_of
from chaffinch.load.serve.status import since_of, status
from chaffinch.load.serve.wire import Changed, Ready, Stopped, StopRequest
from chaffinch.metrics.exposition import CONTENT_TYPE as OPENMETRICS
from chaffinch.metrics.registry import Registry

SMALL_BYTES: Final = 64 << 10
"""The body of any request but a scenario's."""

_stop: Final = msgspec.json.Decoder(StopRequest)


class Api:
    """What answers. A body may come under any media type: programs that exist send YAML under several."""

    def __init__(self, conductor: Conductor, page: Page, admission: Admission, registry: Registry) -> None:
        self._conductor = conductor
        self._page = page
        self._admission = admission
        self._registry = registry
        service = service_of(registry)
        self._nothing = Endpoint("none", {}, service)
        handlers: dict[str, dict[str, Handler]] = {
            "ready": {"GET": self.ready},
            "health": {"GET": self.health},
            "status": {"GET": self.status},
            "config": {"POST": self.configure},
            "start": {"POST": self.start},
            "stop": {"POST": self.stop},
            "load": {"POST": self.change},
            "result": {"GET": self.result},
            "metrics": {"GET": self.metrics},
        }
        self._endpoints = {f"/{name}": Endpoint(name, found, service) for name, found in handlers.items()}
        self._endpoints["/"] = Endpoint("live", {"GET": self.live}, service)

    async def __call__(self, request: Request) -> Response | None:
        return await self._endpoints.get(request.path, self._nothing)(request)

    async def ready(self, request: Request) -> Response:
        """GET /ready"""
        self._admit(request, is_health=True)
        if self._conductor.is_closing:
            raise stopping()
        return json_response(Ready())

    async def health(self, request: Request) -> Response:
        """GET /health"""
        self._admit(request, is_health=True)
        return json_response(self._conductor.health())

    async def status(self, request: Request) -> Response:
        """GET /status"""
        found = self._admit(request, known=("since",))
        return json_response(status(self._conductor, self._registry, since_of(found)))

    async def live(self, request: Request) -> Response:
        """GET /: the page alone, which is the same for everybody; what it shows it asks for with the token."""
        query_of(request.query, ())
        return live_page()

    async def configure(self, request: Request) -> Response:
        """POST /config"""
        self._admit(request)
        text = await _text(request, MOST_BYTES)
        if not text.strip():
            raise RefusalError(400, "bad_request", "the body is empty: send a scenario")
        return json_response(await self._conductor.configure(text))

    async def start(self, request: Request) -> Response:
        """POST /start"""
        self._admit(request)
        await request.body.all(SMALL_BYTES)
        return json_response(await self._conductor.start())

    async def stop(self, request: Request) -> Response:
        """POST /stop"""
        self._admit(request)
        body = await request.body.all(SMALL_BYTES)
        try:
            asked = _stop.decode(body) if body.strip() else StopRequest()
        except (ValueError, RecursionError) as error:
            detail = f'the body is not like {{"tenant": "name"}}, or empty: {error}'
            raise RefusalError(400, "bad_request", detail) from None
        stopped = await self._conductor.stop(asked.tenant)
        return json_response(Stopped(stopped, self._conductor.state))

    async def change(self, request: Request) -> Response:
        """POST /load"""
        self._admit(request)
        test = await self._conductor.change(await _text(request, SMALL_BYTES))
        return json_response(Changed(test.name.run, test.plan.model, test.plan.users))

    async def result(self, request: Request) -> Response:
        """GET /result"""
        self._admit(request)
        if self._conductor.result is None:
            raise RefusalError(404, "no_result", "no test has ended yet: ask again when one has")
        return Response(200, self._conductor.result)

    async def metrics(self, request: Request) -> Response:
        """GET /metrics"""
        self._admit(request)
        accepted = request.headers.get("accept", "")
        text = "text/plain" in accepted and "openmetrics" not in accepted
        return Response(200, await self._page.read(text=text), TEXT if text else OPENMETRICS)

    def _admit(self, request: Request, *, is_health: bool = False, known: Collection[str] = ()) -> dict[str, str]:
        """The parameters of a request that may be made."""
        if not is_health or self._admission.health_needs_token:
            self._admission.admit(request.headers)
        return query_of(request.query, known)


async def _text(request: Request, most: int) -> str:
    check_encoding(request.headers)
    body = await request.body.all(most)
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusalError(400, "bad_request", f"the body is not UTF-8 (byte {error.start})") from None
