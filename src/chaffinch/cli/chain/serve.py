"""`chaffinch chain serve`: chains over HTTP."""

import click

from chaffinch.cli import options
from chaffinch.cli.chain import opening
from chaffinch.errors import RunError


@click.command("serve")
@options.setting("chain.serve.address", "--address")
@options.setting("chain.serve.port", "--port")
@options.setting("chain.serve.max_body_bytes", "--max-body-bytes")
@options.setting("chain.serve.requests_per_second", "--requests-per-second")
@options.setting("chain.serve.tokens_file", "--tokens-file")
@options.placed
def command(state: str | None, config: str | None, **flags: object) -> int:
    """Serve chains over HTTP until it is stopped; /openapi.json describes the API."""
    place = options.state_of(state)
    settings = options.load(config, options.flags_given(flags))
    opening.settle_all(place)
    try:
        from chaffinch.chain.http.serve import serve
    except ModuleNotFoundError as error:
        raise RunError(f"{error.name} is not installed; install it with: pip install 'chaffinch[api]'") from None
    return serve(settings, place)
