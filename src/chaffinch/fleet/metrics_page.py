"""The `metrics` worker: one OpenMetrics page for the whole fleet."""

from chaffinch.fleet.context import Context
from chaffinch.metrics.endpoint import serve_metrics


async def run(context: Context) -> None:
    """Serve the page until the context is stopping; port 0 switches it off."""
    settings = context.config.metrics
    if settings.port:
        await serve_metrics(settings.host, settings.port, context.fleet_metrics, context.stopping, context.page)
    else:
        await context.stopping.wait()
