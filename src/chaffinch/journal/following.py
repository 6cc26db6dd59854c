"""A worker's reading of the journal: batch after batch until it is to stop, and not a moment longer."""

import asyncio
from collections.abc import AsyncIterator

from chaffinch.journal.protocol import Consumer, Record

LOOK_SECONDS = 1.0


async def batches(consumer: Consumer, stopping: asyncio.Event) -> AsyncIterator[list[Record]]:
    """What comes, until `stopping` is set: waiting for events ends with it at once. A batch that was read is given out;
    what was not read comes to the next consumer of that name. Raises what the consumer raises.
    """
    ended = asyncio.ensure_future(stopping.wait())
    reading: asyncio.Future[list[Record]] | None = None
    try:
        while not stopping.is_set():
            reading = asyncio.ensure_future(consumer.next_batch(timeout=LOOK_SECONDS))
            await asyncio.wait((reading, ended), return_when=asyncio.FIRST_COMPLETED)
            if reading.done() and (records := reading.result()):
                yield records
    finally:
        ended.cancel()
        if reading is not None:
            reading.cancel()
