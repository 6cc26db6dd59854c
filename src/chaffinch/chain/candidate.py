"""A candidate configuration: some tenants try it before all get it, and the metrics carry which.

A tenant's position is the first 8 bytes of BLAKE2b (`digest_size=8`) of its name in UTF-8, as a big-endian number, over
2**64. It is on the candidate when its position is below the share, or when it is named: a tenant that is on it stays on
it while the share grows.
"""

import hashlib
from typing import Final, Literal, cast

import msgspec

from chaffinch.chain.engine import Asked
from chaffinch.chain.names import check_tenant
from chaffinch.chain.results import Options, least_authors
from chaffinch.config import CandidateSettings, ChainSettings
from chaffinch.errors import InputError

Configuration = Literal["current", "candidate"]

ITSELF: Final = "."
"""In a mix: the tenant itself. No tenant can have this name."""


def configuration_of(tenant: str, settings: CandidateSettings) -> Configuration:
    """Which configuration a tenant is on."""
    if tenant in settings.tenants:
        return "candidate"
    digest = hashlib.blake2b(tenant.encode(), digest_size=8).digest()
    return "candidate" if int.from_bytes(digest, "big") < settings.share * 2**64 else "current"


class Candidate:
    """What each tenant gets: the current settings or the candidate's. Raises `InputError` for a mix that is none."""

    def __init__(self, settings: ChainSettings) -> None:
        self._settings = settings
        self._mix = _parse_mix(settings.candidate.mix)
        for tenant in settings.candidate.tenants:
            check_tenant(tenant)

    def configuration_of(self, tenant: str) -> Configuration:
        """Which configuration a tenant is on."""
        return configuration_of(tenant, self._settings.candidate)

    def options(self, tenant: str) -> Options:
        """What the tenant's chain is made with, if there is none yet. One that is there keeps its order."""
        current = self._settings
        options = Options(
            order=current.order,
            mode=current.mode,
            max_vocabulary=current.max_vocabulary,
            max_copied_tokens=current.max_copied_tokens,
            backward=current.backward,
            guarded=current.guarded,
            min_authors=least_authors(current.min_authors, guarded=current.guarded),
            support=current.support,
        )
        if current.candidate.order and self.configuration_of(tenant) == "candidate":
            return msgspec.structs.replace(options, order=current.candidate.order)
        return options

    def asked(self, tenant: str, asked: Asked) -> Asked:
        """What is asked of the tenant's chain: where the caller says nothing of the filter, its configuration does."""
        filtering = self._settings.candidate.novel
        if filtering == "same" or "novel" in asked or "ask" in asked or self.configuration_of(tenant) == "current":
            return asked
        return cast(Asked, {**asked, "novel": filtering == "on"})

    def voices(self, tenant: str) -> list[tuple[str, int]]:
        """The tenants that speak, with their weights; of the candidate's mix, the tenant itself with 1 if left out."""
        if not self._mix or self.configuration_of(tenant) == "current":
            return [(tenant, 1)]
        others = [(name, weight) for name, weight in self._mix.items() if name not in (ITSELF, tenant)]
        return [(tenant, self._mix.get(ITSELF, 1)), *others]


def _parse_mix(mix: tuple[str, ...]) -> dict[str, int]:
    weights = {}
    for part in mix:
        name, _, weight = part.rpartition(":")
        if not weight.isascii() or not weight.isdecimal() or not name or int(weight) >= 2**32:
            raise InputError(
                f"chain.candidate.mix: {part!r} is not a tenant and a weight: write it like common:1, "
                "or .:4 for the tenant itself"
            )
        weights[name if name == ITSELF else check_tenant(name)] = int(weight)
    return weights
