"""One path: its methods, and the boundary at which every fault of a request ends as an answer and is counted."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Final

import msgspec

from chaffinch.errors import ChaffinchError
from chaffinch.http.body import GoneError
from chaffinch.http.message import Request, Response, response_of
from chaffinch.http.problem import RefusalError, stopping
from chaffinch.metrics.registry import Counter, Latencies

Handler = Callable[[Request], Awaitable[Response]]

GONE: Final = "gone"
"""Stands for a status in the metrics: the peer closed before it was answered."""


def _nothing(_: Request) -> str:
    return ""


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """What the endpoints of one API have in common."""

    log: logging.Logger
    problem_of: Callable[[ChaffinchError], RefusalError]
    """The refusal that an error is."""
    index: str
    """Where a client reads which paths there are."""
    requests: Counter
    """By path and status."""
    seconds: Latencies | None = None
    """From a request to its answer, by path."""
    about: Callable[[Request], str] = _nothing
    """What the log says of a request behind its path, beginning with a space."""
    unlogged: Collection[str] = ()
    """Codes of refusals from 500 on that the log passes over: they are part of how the API goes on."""


class Endpoint:
    """What answers on one path. `name` stands for it in metrics; without handlers there is nothing there."""

    def __init__(self, name: str, handlers: dict[str, Handler], service: Service) -> None:
        self._name = name
        self._handlers = handlers
        self._service = service
        self._allow = ", ".join(sorted({*handlers, *(["HEAD"] if "GET" in handlers else [])}))

    async def __call__(self, request: Request) -> Response | None:
        """The answer; none if nobody waits for one any more."""
        began = time.perf_counter_ns()
        response = await self._answer(request)
        service = self._service
        service.requests.add(self._name, GONE if response is None else str(response.status))
        if response is not None and service.seconds is not None:
            service.seconds.record(time.perf_counter_ns() - began, self._name)
        return response

    async def _answer(self, request: Request) -> Response | None:
        service = self._service
        why: BaseException | None = None
        try:
            return await self._handler(request.method)(request)
        except GoneError:
            return None
        except RefusalError as problem:
            refused, why = problem, problem.__cause__
        except ChaffinchError as error:
            refused, why = service.problem_of(error), error
        except asyncio.CancelledError:  # the peer has gone, or the server stops; this task ends with its answer
            refused = stopping()
        except Exception:
            service.log.exception("http.failed path=%s%s", self._name, service.about(request))
            failed = "the server has failed on this request, which is our fault: its log has the details"
            return response_of(RefusalError(500, "failed", failed))
        if refused.code == "stopping" and request.body.gone:
            return None
        if refused.status >= 500 and refused.code not in service.unlogged:
            about = service.about(request)
            service.log.warning(
                "http.refused path=%s%s status=%d why=%s", self._name, about, refused.status, why or refused
            )
        return response_of(refused)

    def _handler(self, method: str) -> Handler:
        handler = self._handlers.get("GET" if method == "HEAD" else method)
        if handler is not None:
            return handler
        if not self._handlers:
            nothing = f"there is nothing at this path: {self._service.index} lists what there is"
            raise RefusalError(404, "no_such_path", nothing)
        detail = f"this path does not take {method[:20]}: use {self._allow}"
        raise RefusalError(405, "method", detail, {"Allow": self._allow})
