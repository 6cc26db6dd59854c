"""One path: its methods, and the boundary at which every fault of a request ends as an answer and is counted."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from chaffinch.chain.http.message import GoneError, Request, Response, response_of
from chaffinch.chain.http.problem import RefusalError, problem_of, stopping
from chaffinch.errors import ChaffinchError
from chaffinch.metrics.registry import Registry

Handler = Callable[[Request], Awaitable[Response]]

log = logging.getLogger("chaffinch.chain.http")

GONE: Final = "gone"
"""Stands for a status in the metrics: the peer closed before it was answered."""

_encode: Final = msgspec.json.Encoder().encode


class Endpoint:
    """What answers on one path. `name` stands for it in metrics; without handlers there is nothing there."""

    def __init__(self, name: str, handlers: dict[str, Handler], registry: Registry) -> None:
        self._name = name
        self._handlers = handlers
        self._allow = ", ".join(sorted({*handlers, *(["HEAD"] if "GET" in handlers else [])}))
        self._requests = registry.counter("chain_http_requests", "path", "status", most_labels=256)
        self._seconds = registry.latency("chain_http_seconds", "path")

    async def __call__(self, request: Request) -> Response | None:
        """The answer; none if nobody waits for one any more."""
        began = time.perf_counter_ns()
        response = await self._answer(request)
        self._requests.add(self._name, GONE if response is None else str(response.status))
        if response is not None:
            self._seconds.record(time.perf_counter_ns() - began, self._name)
        return response

    async def _answer(self, request: Request) -> Response | None:
        why: BaseException | None = None
        try:
            return await self._handler(request.method)(request)
        except GoneError:
            return None
        except RefusalError as problem:
            refused, why = problem, problem.__cause__
        except ChaffinchError as error:
            refused, why = problem_of(error), error
        except asyncio.CancelledError:  # the peer has gone, or the server stops; this task ends with its answer
            refused = stopping()
        except Exception:
            log.exception("http.failed path=%s tenant=%.64s", self._name, request.tenant)
            failed = "the server has failed on this request, which is our fault: its log has the details"
            return response_of(RefusalError(500, "failed", failed))
        if refused.code == "stopping" and request.body.gone:
            return None
        if refused.status >= 500:
            log.warning(
                "http.refused path=%s tenant=%.64s status=%d why=%s",
                self._name,
                request.tenant,
                refused.status,
                why or refused,
            )
        return response_of(refused)

    def _handler(self, method: str) -> Handler:
        handler = self._handlers.get("GET" if method == "HEAD" else method)
        if handler is not None:
            return handler
        if not self._handlers:
            raise RefusalError(404, "no_such_path", "there is nothing at this path: /openapi.json lists what there is")
        detail = f"this path does not take {method[:20]}: use {self._allow}"
        raise RefusalError(405, "method", detail, {"Allow": self._allow})


def json_response(answer: msgspec.Struct) -> Response:
    """An answer of status 200."""
    return Response(200, _encode(answer))
