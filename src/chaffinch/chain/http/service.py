"""What the endpoints of this API have in common, and what its paths name."""

import logging
from typing import Final

from chaffinch.chain.http.problem import problem_of
from chaffinch.http.endpoint import Service
from chaffinch.http.message import Request
from chaffinch.metrics.registry import Registry

CHAINS: Final = "/v1/chains/"
"""What the path of a chain begins with; its tenant follows."""

log = logging.getLogger("chaffinch.chain.http")


def service_of(registry: Registry) -> Service:
    """What they have in common; it counts in the registry."""
    return Service(
        log=log,
        problem_of=problem_of,
        index="/openapi.json",
        requests=registry.counter("chain_http_requests", "path", "status", most_labels=256),
        seconds=registry.latency("chain_http_seconds", "path"),
        about=lambda request: f" tenant={tenant_of(request):.64}",
    )


def tenant_of(request: Request) -> str:
    """The tenant that the path names, as it was sent; empty if it names none."""
    return request.path[len(CHAINS) :].partition("/")[0] if request.path.startswith(CHAINS) else ""
