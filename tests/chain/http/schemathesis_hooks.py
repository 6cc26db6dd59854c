"""What schemathesis cannot know of the API: how its lines are sent, which chain there is, what a schema cannot say."""

import json
import re
from typing import Any

import schemathesis
from schemathesis.generation import GenerationMode

from chaffinch.chain.http.wire import TENANT_PATTERN, GenerateRequest

ROOM = "room"
"""The chain that there is."""


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context: Any, value: Any) -> bytes:
    """A list as a line for each; anything else as one line."""
    if isinstance(value, bytes):
        return value
    return b"".join(json.dumps(one).encode() + b"\n" for one in (value if isinstance(value, list) else [value]))


@schemathesis.hook
def filter_case(_context: Any, case: Any) -> bool:
    """Without what is no fault: with `skip_bad` a body that is not what it should be is accepted, and counted; fewest
    tokens above the most are refused, which no schema can say."""
    positive = case.meta.generation.mode is not GenerationMode.NEGATIVE
    if positive and isinstance(case.body, dict) and "min_tokens" in case.body:
        return bool(case.body["min_tokens"] <= case.body.get("max_tokens", GenerateRequest().max_tokens))
    return positive or case.query.get("skip_bad") != "1"


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Half of the tenants that could have a chain become the one that has, unless chains are removed."""
    tenant = (path_parameters or {}).get("tenant")
    removing = context.operation is not None and context.operation.label == "DELETE /v1/chains/{tenant}"
    if isinstance(tenant, str) and re.search(TENANT_PATTERN, tenant) and len(tenant) % 2 and not removing:
        return {**path_parameters, "tenant": ROOM}
    return path_parameters
