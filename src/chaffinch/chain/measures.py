"""What chains count and measure, by the configuration a tenant is on. Called on the event loop only."""

from typing import TYPE_CHECKING

from chaffinch.chain.errors import BusyError, NothingNewError

if TYPE_CHECKING:
    from chaffinch.chain.candidate import Configuration
    from chaffinch.chain.open_chains import OpenChains
    from chaffinch.chain.results import Added
    from chaffinch.metrics.registry import Registry


class Measures:
    """The metrics of all tenants together: there may be any number of tenants, so none has its own."""

    def __init__(self, registry: "Registry") -> None:
        self.registry = registry
        self._generation = registry.latency("chain_generation_seconds", "configuration")
        self._add = registry.latency("chain_add_seconds")
        self._training = registry.latency("chain_training_seconds")
        self._merge = registry.latency("chain_merge_seconds")
        self._merge_failed = registry.counter("chain_merge_failed")
        self._generated = registry.counter("chain_generated", "outcome", "configuration")
        self._messages = registry.counter("chain_messages", "outcome")
        self._replaced = registry.counter("chain_replaced")
        self._cut = registry.counter("chain_cut", "what")
        self._forgotten = registry.counter("chain_forgotten")

    def show(self, chains: "OpenChains") -> None:
        """Show what the cache of open chains counts."""
        self.registry.counter_from("chain_cache_hits", lambda: chains.hits)
        self.registry.counter_from("chain_cache_misses", lambda: chains.misses)
        self.registry.counter_from("chain_cache_evictions", lambda: chains.evicted, cause="room")
        self.registry.counter_from("chain_cache_evictions", lambda: chains.expired, cause="age")
        self.registry.gauge("chain_cache_hit_ratio", lambda: chains.hit_ratio)
        self.registry.gauge("chain_cache_open", lambda: len(chains))
        self.registry.gauge("chain_cache_bytes", lambda: chains.bytes)

    def generated(self, configuration: "Configuration", ns: int, error: BaseException | None) -> None:
        """A call that generated, or could not; `ns` is 0 if it never ran. What was refused is counted in the pool."""
        if isinstance(error, BusyError):
            return
        outcome = "said" if error is None else "nothing_new" if isinstance(error, NothingNewError) else "error"
        self._generated.add(outcome, configuration)
        if ns:
            self._generation.record(ns, configuration)

    def added(self, ns: int, added: "Added") -> None:
        """A call that learned messages."""
        self._add.record(ns)
        self._learned(added)

    def trained(self, ns: int, added: "Added") -> None:
        """A call that learned a file."""
        self._training.record(ns)
        self._learned(added)

    def merged(self, ns: int, error: BaseException | None) -> None:
        """A merge, asked for or in the background."""
        self._merge.record(ns)
        if error is not None:
            self._merge_failed.add()

    def forgotten(self, messages: int) -> None:
        """Messages that were forgotten."""
        self._forgotten.add(amount=messages)

    def _learned(self, added: "Added") -> None:
        for outcome, count in (
            ("learned", added.learned),
            ("duplicate", added.duplicates),
            ("empty", added.empty),
            ("no_room", added.no_room),
        ):
            self._messages.add(outcome, amount=count)
        for what, count in (
            ("tokens_dropped", added.cut.tokens_dropped),
            ("tokens_shortened", added.cut.tokens_shortened),
            ("messages_cut", added.cut.messages_cut),
        ):
            self._cut.add(what, amount=count)
        self._replaced.add(amount=added.replaced)
