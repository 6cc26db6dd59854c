"""Redis clients in a process of their own, for `bench.storm`: one short session after another, each counted.

`python -m bench.storm_redis CLIENTS ADDRESS:PORT...`, until SIGTERM; then prints what was connected and answered, as
JSON.
"""

import asyncio
import contextlib
import json
import signal
import sys

TALK = b"PING\r\nSET storm:%d value\r\nGET storm:%d\r\nQUIT\r\n"
TIMEOUT_SECONDS = 30.0


class Counts:
    """Of all clients: connections that the kernel made, sessions that were answered, and what was not."""

    def __init__(self) -> None:
        self.connected = 0
        self.answered = 0
        self.refused = 0
        """Connected, and told something else than an answer, or nothing."""
        self.unconnected = 0


async def client(counts: Counts, number: int, places: list[tuple[str, int]], ending: asyncio.Event) -> None:
    turn = number
    while not ending.is_set():
        turn += 1
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                reader, writer = await asyncio.open_connection(*places[turn % len(places)])
        except (OSError, TimeoutError):
            counts.unconnected += 1
            await asyncio.sleep(0.01)
            continue
        counts.connected += 1
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                writer.write(TALK % (number, number))
                await reader.readuntil(b"\r\n")
                counts.answered += 1
                await reader.read(-1)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            counts.refused += 1
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def run(clients: int, places: list[tuple[str, int]]) -> Counts:
    counts, ending = Counts(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    async with asyncio.TaskGroup() as tasks:
        for number in range(clients):
            tasks.create_task(client(counts, number, places, ending))
    return counts


def main() -> None:
    places = [(host, int(port)) for host, _, port in (one.partition(":") for one in sys.argv[2:])]
    print(json.dumps(vars(asyncio.run(run(int(sys.argv[1]), places)))))


if __name__ == "__main__":
    main()
