"""The bounds of one group's process: those of the configuration, lowered to what its share can hold where nobody gave
them.
"""

import logging
from collections.abc import Sequence

from chaffinch.config import Config
from chaffinch.decoys import bounds
from chaffinch.decoys.fitting import FITTED, fitted, value
from chaffinch.decoys.worker import PREFIX
from chaffinch.fleet import budget
from chaffinch.fleet.workers import CAPTURE, MB, Worker

log = logging.getLogger("chaffinch.fleet")


class Bounded:
    """Of one group. What follows from its share is said once, and again when it changes."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._said = ""

    def under(self, config: Config, workers: Sequence[Worker], share_bytes: int) -> Config:
        """What the process goes by; without a share, or a worker that faces attackers, the configuration as it is."""
        if not share_bytes or not any(worker.faces_attackers for worker in workers):
            return config
        services = [worker.name.removeprefix(PREFIX) for worker in workers if worker.name.startswith(PREFIX)]
        captures, idle = CAPTURE in workers, budget.idle_bytes(workers) + budget.working_bytes(workers)
        lowered = fitted(config, share_bytes - idle, services, captures=captures)
        self._say(lowered, share_bytes, idle, bounds.left(lowered, services, captures=captures))
        return lowered

    def _say(self, config: Config, share: int, idle: int, left: int) -> None:
        values = " ".join(f"{path}={value(config, path)}" for path in FITTED)
        said = f"{values} share={share} idle={idle} left={left}"
        if said == self._said:
            return
        self._said = said
        log.info("bounds.fitted group=%s %s", self._group, said)
        if idle + left > share:
            log.warning("bounds.too_large group=%s why=%s", self._group, _sentence(config, share, idle, left))


def _sentence(config: Config, share: int, idle: int, left: int) -> str:
    given = [f"{path} = {value(config, path):,}" for path in FITTED if path in config.given]
    lower = f"lower what is given ({', '.join(given)}), or " if given else ""
    return (
        f"its share of {share / MB:.1f} MB does not hold whatever comes, which is {(idle + left) / MB:.1f} MB: "
        f"{idle / MB:.1f} MB idle and {left / MB:.1f} MB that visitors can take and the guard does not give up; "
        f"{lower}give the group {(idle + left - share) / MB:.1f} MB more with --memory"
    )
