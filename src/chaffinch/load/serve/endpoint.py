"""One path: its methods, and the boundary at which every fault of a request ends as an answer and is counted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from chaffinch.chain.http.message import GoneError, Request, Response, response_of
from chaffinch.chain.http.problem import RefusalError, retry_after, stopping
from chaffinch.errors import ChaffinchError, InputError
from chaffinch.load.serve.conductor import BusyError, ConflictError
from chaffinch.metrics.registry import Registry

Handler = Callable[[Request], Awaitable[Response]]

GONE: Final = "gone"
"""Stands for a status in the metrics: the peer closed before it was answered."""

log = logging.getLogger("chaffinch.load.serve")

_encode: Final = msgspec.json.Encoder().encode


class Endpoint:
    """What answers on one path. `name` stands for it in metrics; without handlers there is nothing there."""

    def __init__(self, name: str, handlers: dict[str, Handler], registry: Registry) -> None:
        self._name = name
        self._handlers = handlers
        self._allow = ", ".join(sorted({*handlers, *(["HEAD"] if "GET" in handlers else [])}))
        self._requests = registry.counter("load_http_requests", "path", "status", most_labels=256)

    async def __call__(self, request: Request) -> Response | None:
        """The answer; none if nobody waits for one any more."""
        response = await self._answer(request)
        self._requests.add(self._name, GONE if response is None else str(response.status))
        return response

    async def _answer(self, request: Request) -> Response | None:
        try:
            return await self._handler(request.method)(request)
        except GoneError:
            return None
        except RefusalError as problem:
            refused = problem
        except ChaffinchError as error:
            refused = problem_of(error)
        except asyncio.CancelledError:  # the peer has gone, or the server stops; this task ends with its answer
            refused = stopping()
        except Exception:
            log.exception("http.failed path=%s", self._name)
            failed = "the server has failed on this request, which is our fault: its log has the details"
            return response_of(RefusalError(500, "failed", failed))
        if refused.code == "stopping" and request.body.gone:
            return None
        return response_of(refused)

    def _handler(self, method: str) -> Handler:
        handler = self._handlers.get("GET" if method == "HEAD" else method)
        if handler is not None:
            return handler
        if not self._handlers:
            raise RefusalError(
                404, "no_such_path", "there is nothing at this path: docs/load-serve.md lists what there is"
            )
        detail = f"this path does not take {method[:20]}: use {self._allow}"
        raise RefusalError(405, "method", detail, {"Allow": self._allow})


def problem_of(error: ChaffinchError) -> RefusalError:
    """The refusal that an error is. The sentence stays its own."""
    match error:
        case BusyError():
            return RefusalError(503, "busy", str(error), retry_after(1))
        case ConflictError():
            return RefusalError(409, "conflict", str(error))
        case InputError():
            return RefusalError(400, "bad_request", str(error))
        case _:
            log.warning("http.refused why=%s", error)
            return RefusalError(503, "failed", str(error), retry_after(5))


def json_response(answer: msgspec.Struct) -> Response:
    """An answer of status 200."""
    return Response(200, _encode(answer))
