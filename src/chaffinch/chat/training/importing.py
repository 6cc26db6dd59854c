"""Learning the file that came with `/train`, in place of the channels."""

import asyncio
import contextlib
from pathlib import Path

import msgspec

from chaffinch.chain.errors import UnknownTenantError
from chaffinch.chain.results import Added, Options, Trained
from chaffinch.chat.book.book import Training
from chaffinch.chat.learning.flights import Flight
from chaffinch.chat.names import tenant_of
from chaffinch.chat.training.files import format_of
from chaffinch.chat.training.parts import Parts
from chaffinch.chat.training.patience import chain_faults, patiently
from chaffinch.chat.training.source import FaultError
from chaffinch.errors import ChaffinchError, InputError


class Import:
    """One file into one guild's chain. `name` is what people know it by."""

    def __init__(self, training: Training, parts: Parts, name: str) -> None:
        self.training = training
        self.path = parts.tenants.state / training.file
        self.name = name
        self.fraction = 0.0
        self.records = 0
        self.waiting = ""
        self._parts = parts
        self._tenant = tenant_of(training.guild)
        self._ends = False

    async def learn(self) -> Added:
        """Learn it, from where an earlier start was. Raises `InputError`, with the line, for what is in it."""
        if not await asyncio.to_thread(self.path.is_file):
            raise InputError(f"{self.name} is gone from the bot's state: train again with it.")
        with self._parts.learner.in_flight(self.training.guild) as flight:
            try:
                trained = await patiently(self._train, self._told)
            except asyncio.CancelledError:
                self._ends = True  # the thread that reads it hears of that by its next report
                raise
            earlier = 0
            if trained.resumed and self.training.clean:
                earlier = await patiently(self._held, self._told) - trained.added.learned
            forgotten = await patiently(lambda: self._forget(flight), self._told)
        self._parts.measures.trained(self.training.guild, trained.added.learned)
        return trained.added + Added(learned=earlier - forgotten)

    def _told(self, reason: str) -> None:
        self.waiting = reason

    async def _train(self) -> Trained:
        key = f"train {self.training.guild} {self.training.started_ms}"
        kind = await asyncio.to_thread(format_of, self.path)
        try:
            return await self._parts.tenants.train(
                self._tenant,
                self.path,
                key=key,
                format=kind,
                report=self._report,
                anew=self.training.clean,
                options=self._options(),
                wait=True,
            )
        except InputError as error:
            raise InputError(_without(str(error), self.path, self.name)) from None
        except ChaffinchError as error:
            raise FaultError(str(error)) from None

    async def _held(self) -> int:
        """Messages of the chain anew, most of which an earlier start learned: nobody else has counted them."""
        with chain_faults():
            return (await self._parts.tenants.stats(self._tenant, anew=True, wait=True)).messages

    def _options(self) -> Options | None:
        """What the guild wants of a chain that is made; None: what its configuration says."""
        if not self._parts.book.settings(self.training.guild).backward:
            return None
        return msgspec.structs.replace(self._parts.tenants.candidate.options(self._tenant), backward=True)

    def _report(self, records: int, read: int, length: int | None) -> bool:
        """On a thread of the pool."""
        self.records = records
        self.fraction = min(1.0, read / length) if length else 0.0
        return not self._ends

    async def _forget(self, flight: Flight) -> int:
        """A file has what was forgotten since it was written: of who opted out, and what was deleted meanwhile."""
        book, guild = self._parts.book, self.training.guild
        forget, anew = self._parts.tenants.forget, self.training.clean
        forgotten = 0
        with contextlib.suppress(UnknownTenantError), chain_faults():
            async with book.turn(guild):
                messages = [str(message) for message in flight.gone]
                forgotten += await forget(self._tenant, messages=messages, anew=anew, wait=True)
                for channel in flight.gone_channels:
                    forgotten += await forget(self._tenant, channel=str(channel), anew=anew, wait=True)
                for user in book.opted_out(guild):
                    forgotten += await forget(self._tenant, author=str(user), anew=anew, wait=True)
        return forgotten


def _without(sentence: str, path: Path, name: str) -> str:
    """Where the file is kept says nothing to who attached it, nor does an option of the command line."""
    sentence = sentence.replace(" (--skip-bad passes over such records)", "")
    for known in (str(path.resolve()), str(path), path.name):
        sentence = sentence.replace(known, name)
    return sentence
