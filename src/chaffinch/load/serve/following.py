"""Follows a scenario file: written anew and quiet for a while, it is read again; a broken one is refused."""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from chaffinch.errors import ChaffinchError, InputError
from chaffinch.load.reload import Watched
from chaffinch.load.scenario.files import load_file
from chaffinch.load.serve.conductor import Conductor
from chaffinch.metrics.registry import Registry

LOOK_SECONDS: Final = 0.1

OUTCOMES: Final = ("same", "loaded", "changed", "replaced", "refused", "failed")
"""Of a file: what `Conductor.reload` says, `refused` for a broken one, `failed` where the machine did not let it."""

log = logging.getLogger("chaffinch.load.serve")


class Following:
    """One file, with those that it names and the environment that goes over it."""

    def __init__(
        self,
        path: Path,
        named: Iterable[Path],
        environment: Mapping[str, str] | None,
        conductor: Conductor,
        registry: Registry,
    ) -> None:
        self._path = path
        self._environment = environment
        self._conductor = conductor
        self._reloads = registry.counter("load_reloads", "outcome")
        for outcome in OUTCOMES:
            self._reloads.add(outcome, amount=0)
        self._watched = Watched(path, named)

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._watched.has_changed(time.monotonic()):
                await self._reload()

    async def _reload(self) -> None:
        try:
            self._conductor.check_reading(await asyncio.to_thread(self._watched.look_again))
            loaded = await asyncio.to_thread(load_file, self._path, self._environment)
            outcome = await self._conductor.reload(self._path, loaded)
        except ChaffinchError as error:
            kind = "refused" if isinstance(error, InputError) else "failed"
            self._reloads.add(kind)
            log.warning("load.reload_%s file=%s; what runs goes on; why=%s", kind, self._path, error)
        else:
            self._reloads.add(outcome)
            log.info("load.reloaded file=%s outcome=%s", self._path, outcome)
