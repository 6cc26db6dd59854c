"""What the endpoints of the control API have in common."""

import logging

from chaffinch.errors import ChaffinchError, InputError
from chaffinch.http.endpoint import Service
from chaffinch.http.problem import RefusalError, retry_after
from chaffinch.load.serve.conductor import BusyError, ConflictError
from chaffinch.metrics.registry import Registry


def service_of(registry: Registry) -> Service:
    """What they have in common; it counts in the registry."""
    return Service(
        log=logging.getLogger("chaffinch.load.serve"),
        problem_of=problem_of,
        index="docs/load-serve.md",
        requests=registry.counter("load_http_requests", "path", "status", most_labels=256),
        unlogged=("busy", "stopping"),
    )


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
            return RefusalError(503, "failed", str(error), retry_after(5))
