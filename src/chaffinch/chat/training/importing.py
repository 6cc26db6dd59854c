"""Learning the file that came with `/train`, in place of the channels."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chaffinch.chain.errors import UnknownTenantError
from chaffinch.chain.results import Added, Trained
from chaffinch.chat.book.book import Training
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
        self.left_out = 0
        """Messages by bots, and those that are none of people."""
        self._parts = parts
        self._tenant = tenant_of(training.guild)
        self._ends = False

    async def learn(self) -> Added:
        """Learn it, from where an earlier start was. Raises `InputError`, with the line, for what is in it."""
        if not await asyncio.to_thread(self.path.is_file):
            raise InputError(f"{self.name} is gone from the bot's state: train again with it.")
        try:
            trained = await patiently(self._train, self._told)
        except asyncio.CancelledError:
            self._ends = True  # the thread that reads it hears of that by its next report
            raise
        self.left_out = trained.left_out
        earlier = 0
        if trained.resumed and self.training.clean:
            earlier = await patiently(self._held, self._told) - trained.added.learned
        forgotten = await patiently(self._forget, self._told)
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
                options=self._parts.learner.options(self.training.guild),
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

    def _report(self, records: int, read: int, length: int | None) -> bool:
        """On a thread of the pool."""
        self.records = records
        self.fraction = min(1.0, read / length) if length else 0.0
        return not self._ends

    async def _forget(self) -> int:
        """A file has what was forgotten since it was written: of who opted out, and what was deleted since the command,
        which the book has noted.
        """
        book, guild, learner = self._parts.book, self.training.guild, self._parts.learner
        forget, anew = self._parts.tenants.forget, self.training.clean
        forgotten, last = 0, None
        with contextlib.suppress(UnknownTenantError), chain_faults():
            async with book.turn(guild):
                for user in book.opted_out(guild):
                    forgotten += await forget(self._tenant, author=str(user), anew=anew, wait=True)
                forgotten += await self._forget_older(guild)
                while due := book.unlearnings.due(guild, last):
                    last = due[-1]
                    messages = [str(one.id) for one in due if one.kind == "message"]
                    forgotten += await forget(self._tenant, messages=messages, anew=anew, wait=True)
                    for one in due:
                        if one.kind == "channel":
                            forgotten += await forget(self._tenant, channel=str(one.id), anew=anew, wait=True)
                learner.files_read[guild] = self.training.started_ms
                await learner.redo(guild)
        return forgotten

    async def _forget_older(self, guild: int) -> int:
        """What is older than the guild keeps."""
        days = self._parts.book.settings(guild).retention_days
        if not days:
            return 0
        before = datetime.now(UTC) - timedelta(days=days)
        return await self._parts.tenants.forget(self._tenant, before=before, anew=self.training.clean, wait=True)


def _without(sentence: str, path: Path, name: str) -> str:
    """Where the file is kept says nothing to who attached it, nor does an option of the command line."""
    sentence = sentence.replace(" (--skip-bad passes over such records)", "")
    for known in (str(path.resolve()), str(path), path.name):
        sentence = sentence.replace(known, name)
    return sentence
