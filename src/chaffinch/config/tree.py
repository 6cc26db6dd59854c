"""Every setting, declared once with its unit, bounds and description, as one typed, frozen tree."""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

Bytes: TypeAlias = Annotated[int, Meta(ge=0, extra={"unit": "bytes"})]
Seconds: TypeAlias = Annotated[float, Meta(ge=0, extra={"unit": "seconds"})]
Count: TypeAlias = Annotated[int, Meta(ge=0)]
Port: TypeAlias = Annotated[int, Meta(ge=0, le=65535)]
Id: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""What Discord names things by: a number that it has made up (a snowflake)."""
Groups: TypeAlias = Literal["one", "default", "split"] | dict[str, tuple[str, ...]]
"""The table has the names or patterns of a group's workers under the group's name; `fleet.grouping` reads it."""

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
"""A line of the log of whatever runs on: the fleet, the API."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table of the file."""


class FleetSettings(Section, frozen=True):
    """The processes and the memory that the fleet may hold."""

    groups: Annotated[
        Groups,
        Meta(
            description="How workers share processes: all in one, a few groups, a process for each, or as a table says."
        ),
    ] = "default"
    memory: Annotated[Bytes, Meta(description="The budget for the whole fleet; 0 states none.")] = 0
    seed: Annotated[
        str, Meta(description="What every persona derives from. Empty: a random one, kept in the state directory.")
    ] = ""
    workers: Annotated[
        tuple[str, ...], Meta(description="Workers of other packages to run (entry point group `chaffinch.workers`).")
    ] = ()
    log_bytes: Annotated[
        Annotated[int, Meta(ge=64 << 10, extra={"unit": "bytes"})],
        Meta(description="The fleet's log begins anew at that size; what it held before is kept beside it, once."),
    ] = 8 << 20
    user: Annotated[str, Meta(description="Whom the groups run as when the fleet is started by root.")] = "nobody"
    drain_seconds: Annotated[Seconds, Meta(description="How long a stop may take before processes are killed.")] = 5.0
    silent_seconds: Annotated[
        Annotated[float, Meta(ge=2, extra={"unit": "seconds"})],
        Meta(description="A group that has said nothing for that long is stuck: it is killed and started again."),
    ] = 30.0
    backoff_seconds: Annotated[
        Seconds, Meta(description="The first wait before a failed worker is started again; it doubles, with jitter.")
    ] = 0.2
    backoff_limit_seconds: Annotated[Seconds, Meta(description="The longest such wait.")] = 30.0
    healthy_seconds: Annotated[
        Seconds, Meta(description="A worker that ran this long starts again with the first wait.")
    ] = 60.0
    crash_limit: Annotated[
        Count, Meta(description="After this many failures without a healthy interval a worker is given up.")
    ] = 10


class NetworkSettings(Section, frozen=True):
    """Which addresses the decoy hosts have and where they listen."""

    hosts: Annotated[
        tuple[str, ...], Meta(description="The prefixes whose addresses are decoy hosts.", min_length=1)
    ] = ("127.77.0.0/16",)
    mode: Annotated[
        Literal["loopback", "netns"],
        Meta(description="Where the addresses live: on loopback, or in a network namespace of their own (root)."),
    ] = "loopback"
    device: Annotated[
        str,
        Meta(
            description="The network device that listeners are bound to; nothing else reaches them. With netns: what "
            "the namespace is joined to, a network card for macvlan and ipvlan, a bridge or `lo` for veth.",
            min_length=1,
        ),
    ] = "lo"
    link: Annotated[
        Literal["veth", "macvlan", "ipvlan"],
        Meta(description="What joins the namespace: veth to a bridge or (`lo`) this machine, the others to a card."),
    ] = "veth"
    gateway: Annotated[
        str, Meta(description="The router through which sources outside of the device's own networks are answered.")
    ] = ""
    mac: Annotated[
        str,
        Meta(
            description="The link's MAC address: whole, a prefix such as `00:1b:21`, a vendor (vmware, dell, ...), or, "
            "with macvlan, `archetypes` for one of each maker. Empty: the kernel draws one."
        ),
    ] = ""
    port_offset: Annotated[
        Annotated[int, Meta(ge=0, le=60000)],
        Meta(
            description="Added to every decoy port: ssh is 20022 with the default; 0, the default with netns, for the "
            "real ports."
        ),
    ] = 20000
    backlog: Annotated[
        Annotated[int, Meta(ge=1, le=65535)],
        Meta(description="Connections that the kernel holds for a listener until they are accepted."),
    ] = 4096


class DecoySettings(Section, frozen=True):
    """The bounds of what faces attackers."""

    sessions: Annotated[
        Annotated[int, Meta(ge=16)],
        Meta(description="Sessions open at once in one process; past it the most silent one makes room."),
    ] = 10000
    record_rate: Annotated[
        Annotated[float, Meta(gt=0)],
        Meta(description="Facts of one kind recorded a second for one source and service; past it they are collapsed."),
    ] = 500.0
    record_burst: Annotated[
        Annotated[int, Meta(ge=1)],
        Meta(description="Facts that may come at once before that rate holds."),
    ] = 5000
    rate_entries: Annotated[
        Annotated[int, Meta(ge=16)],
        Meta(description="Sources, kinds and services whose rate is remembered at once."),
    ] = 8192
    session_bytes: Annotated[
        Annotated[int, Meta(ge=1 << 20, extra={"unit": "bytes"})],
        Meta(description="What a process's sessions may hold unread, unsent and in uploads; past it the largest ends."),
    ] = 16 << 20
    upload_bytes: Annotated[Bytes, Meta(description="What the quarantine may hold of uploads.")] = 256 << 20
    overlay_source_bytes: Annotated[Bytes, Meta(description="What one source may change on one decoy host.")] = 1 << 20
    overlay_bytes: Annotated[Bytes, Meta(description="What all sources together may change, held in memory.")] = 8 << 20
    overlay_seconds: Annotated[
        Seconds, Meta(description="How long such a change outlives its source's last visit.")
    ] = 3600.0


class CaptureSettings(Section, frozen=True):
    """A raw socket for what no listener gets: packets to closed ports, ICMP and ARP."""

    enabled: Annotated[bool, Meta(description="Whether it is opened; the fleet must then be started as root.")] = False
    buffer_bytes: Annotated[
        Annotated[int, Meta(ge=64 << 10, le=1 << 30, extra={"unit": "bytes"})],
        Meta(description="The ring of packets that wait to be read, 256 bytes each; what finds no room is counted."),
    ] = 1 << 20
    windows: Annotated[
        Annotated[int, Meta(ge=16, le=65536)],
        Meta(description="Sources and kinds of packets told apart at once; further sources are counted together."),
    ] = 256
    window_seconds: Annotated[
        Annotated[float, Meta(ge=1, le=3600, extra={"unit": "seconds"})],
        Meta(description="How long packets of one kind from one source are gathered into one event."),
    ] = 10.0
    share: Annotated[
        Annotated[float, Meta(ge=0.01, le=1)],
        Meta(description="The part of one processor that a flood may take; packets past it wait in the kernel."),
    ] = 0.25


class ServiceSettings(Section, frozen=True):
    """One service: `[services.NAME]`."""

    enabled: Annotated[bool, Meta(description="Whether decoy hosts run it.")] = True
    port: Annotated[Port, Meta(description="For a plug-in's service: its port; 0 is the one that it names.")] = 0
    archetypes: Annotated[
        tuple[str, ...], Meta(description="For a plug-in's service: which archetypes run it; empty is all of them.")
    ] = ()
    product: Annotated[str, Meta(description="For a plug-in's service: the product that it claims to be.")] = ""
    version: Annotated[str, Meta(description="For a plug-in's service: that product's version.")] = ""


class JournalSettings(Section, frozen=True):
    """The durable log of events."""

    max_bytes: Annotated[
        Annotated[int, Meta(ge=1 << 20, extra={"unit": "bytes"})],
        Meta(description="Disk that the journal may hold; past it the oldest segment goes."),
    ] = 2 << 30
    max_age_days: Annotated[
        Annotated[float, Meta(gt=0, extra={"unit": "days"})], Meta(description="Age at which a segment goes.")
    ] = 90.0
    segment_bytes: Annotated[
        Annotated[int, Meta(ge=64 << 10, extra={"unit": "bytes"})],
        Meta(description="The size at which a segment is sealed; at most an eighth of `max_bytes`."),
    ] = 64 << 20
    flush_ms: Annotated[
        Annotated[float, Meta(ge=0, le=1000, extra={"unit": "milliseconds"})],
        Meta(description="How long an event may wait for others to be made durable with it."),
    ] = 10.0
    queue_events: Annotated[
        Annotated[int, Meta(ge=1)], Meta(description="Events that may wait in memory; more are counted as lost.")
    ] = 200_000
    queue_bytes: Annotated[
        Annotated[int, Meta(ge=1 << 20, extra={"unit": "bytes"})],
        Meta(description="Bytes of events that may wait in memory."),
    ] = 32 << 20

    @property
    def sealed_at(self) -> int:
        """The size in bytes at which a segment is really sealed: the bound in bytes must hold several."""
        return min(self.segment_bytes, self.max_bytes // 8)

    @property
    def transaction_bytes(self) -> int:
        """The most that one transaction appends, so that a segment passes its size by little."""
        return max(128 << 10, min(2 << 20, self.sealed_at // 4))


class StoreSettings(Section, frozen=True):
    """What workers derive from the journal."""

    max_bytes: Annotated[
        Annotated[int, Meta(ge=1 << 20, extra={"unit": "bytes"})],
        Meta(description="Disk that the store may hold; the oldest sessions go first."),
    ] = 512 << 20
    max_age_days: Annotated[
        Annotated[float, Meta(gt=0, extra={"unit": "days"})], Meta(description="Age at which sessions go.")
    ] = 90.0


class MetricsSettings(Section, frozen=True):
    """The page that Prometheus reads."""

    host: Annotated[str, Meta(description="The address of the metrics page.", min_length=1)] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Its port; 0 switches the page off.")] = 9477


class CandidateSettings(Section, frozen=True):
    """The configuration that some tenants try before all get it; the metrics carry which (`configuration`)."""

    share: Annotated[
        Annotated[float, Meta(ge=0, le=1)],
        Meta(description="The share of tenants that are on it, picked by a hash of their names; it may grow later."),
    ] = 0.0
    tenants: Annotated[tuple[str, ...], Meta(description="Tenants that are on it whatever the share.")] = ()
    order: Annotated[
        Annotated[int, Meta(ge=0, le=4)],
        Meta(
            description="The order of chains made on it; 0: as `chain.order`. A chain keeps the order it was made with."
        ),
    ] = 0
    novel: Annotated[
        Literal["same", "on", "off"],
        Meta(description="Whether the novelty filter is on where the caller does not say; `same`: as for everybody."),
    ] = "same"
    mix: Annotated[
        tuple[str, ...],
        Meta(
            description="Tenants that speak along to all on the candidate, with weights, such as `common:1`; `.` is "
            "the tenant itself (`.:4`)."
        ),
    ] = ()


class ServeSettings(Section, frozen=True):
    """The HTTP API: `chaffinch chain serve`."""

    address: Annotated[str, Meta(description="The address that it listens on.", min_length=1)] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Its port; 0 takes a free one.")] = 8765
    max_body_bytes: Annotated[
        Annotated[int, Meta(ge=1, extra={"unit": "bytes"})], Meta(description="The longest body of a request.")
    ] = 16 << 20
    requests_per_second: Annotated[
        Annotated[float, Meta(ge=0)], Meta(description="Requests a second that one token may make; 0 sets no limit.")
    ] = 0.0
    tokens_file: Annotated[
        str,
        Meta(description="The file of bearer tokens; empty: `chain-tokens.toml` in the state directory, made once."),
    ] = ""
    connections: Annotated[
        Annotated[int, Meta(ge=1, le=100_000)], Meta(description="Connections open at once; further ones are refused.")
    ] = 512
    drain_seconds: Annotated[
        Seconds, Meta(description="How long requests that run may take when the server is stopped.")
    ] = 10.0


class ChainSettings(Section, frozen=True):
    """Chains, the Markov text engines: what new ones are made with, and what all that are open may hold."""

    threads: Annotated[
        Annotated[int, Meta(ge=1, le=256)], Meta(description="Threads that run what is asked of chains.")
    ] = 4
    queue: Annotated[
        Annotated[int, Meta(ge=1)], Meta(description="Calls that may wait for a thread; past it they are refused.")
    ] = 256
    memory: Annotated[
        Annotated[int, Meta(ge=1 << 16, extra={"unit": "bytes"})],
        Meta(description="Memory that open chains may hold together; past it the least recently used is closed."),
    ] = 64 << 20
    segment_memory: Annotated[
        Annotated[int, Meta(ge=1 << 20, extra={"unit": "bytes"})],
        Meta(description="Memory that a merge or a training takes; with less a chain has more parts and talks slower."),
    ] = 200 << 20
    open_chains: Annotated[
        Annotated[int, Meta(ge=1)],
        Meta(description="Chains open at once; each holds 2 descriptors, and 2 mappings for a segment."),
    ] = 256
    idle_seconds: Annotated[
        Seconds, Meta(description="A chain that nobody used for that long is closed; 0: never.")
    ] = 600.0
    slow_ms: Annotated[
        Annotated[float, Meta(gt=0, extra={"unit": "milliseconds"})],
        Meta(description="A call that runs longer is counted and logged."),
    ] = 50.0
    order: Annotated[
        Annotated[int, Meta(ge=1, le=4)], Meta(description="How many tokens the next one depends on, in new chains.")
    ] = 2
    mode: Annotated[Literal["words", "segments", "graphemes"], Meta(description="What a token is, in new chains.")] = (
        "words"
    )
    max_vocabulary: Annotated[
        Annotated[int, Meta(ge=1, le=1 << 24)], Meta(description="Different tokens that a new chain knows at most.")
    ] = 1 << 24
    max_copied_tokens: Annotated[
        Annotated[int, Meta(ge=1, le=10_000)],
        Meta(description="The longest run of tokens that a new chain may say as a source message has it."),
    ] = 6
    backward: Annotated[bool, Meta(description="Whether new chains also go from the end of a message.")] = False
    guarded: Annotated[
        bool, Meta(description="Whether new chains replace secrets and personal data before they learn.")
    ] = False
    min_authors: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)],
        Meta(description="How many must have had a transition before a new chain uses it; 1 stands for 3 if guarded."),
    ] = 1
    support: Annotated[Literal["authors", "messages"], Meta(description="What `min_authors` counts in new chains.")] = (
        "authors"
    )
    names: Annotated[
        tuple[str, ...], Meta(description="Names that guarded chains replace besides what they find.")
    ] = ()
    candidate: CandidateSettings = CandidateSettings()
    serve: ServeSettings = ServeSettings()


class BotSettings(Section, frozen=True):
    """The Discord bot: `chaffinch bot discord`, or a worker of the fleet."""

    enabled: Annotated[bool, Meta(description="Whether a fleet runs it as one of its workers.")] = False
    token_file: Annotated[
        str,
        Meta(description="The file that holds the token. Empty: `discord-token` in the state directory, or a keyring."),
    ] = ""
    command: Annotated[
        str, Meta(description="The name of the slash command that talks.", pattern=r"^[-_a-z0-9]{1,32}$")
    ] = "mark"
    prefix: Annotated[str, Meta(description="What begins a command in a message.", min_length=1, max_length=32)] = (
        "!mark"
    )
    activity: Annotated[str, Meta(description="What the bot is shown to listen to.", max_length=128)] = "!mark help"
    owners: Annotated[tuple[Id, ...], Meta(description="Users who may do everywhere what moderators may.")] = ()
    user_roles: Annotated[
        tuple[Id, ...], Meta(description="Roles of which one is needed to have the bot talk; empty: none is.")
    ] = ()
    response_channels: Annotated[
        tuple[Id, ...], Meta(description="Channels in which a mention is answered; empty: all of them.")
    ] = ()
    dev_guild: Annotated[Id, Meta(description="A guild that alone gets the slash commands, at once; 0: all do.")] = 0
    timezone: Annotated[
        str, Meta(description="The zone in which quiet hours are meant unless a guild says another.", min_length=1)
    ] = "UTC"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="What is logged.")] = "info"
    min_score: Annotated[
        Count,
        Meta(description="The score that is tried for; where nothing reaches it the freest that there is is said."),
    ] = 10
    max_tries: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)], Meta(description="How often a message is begun anew until it fits.")
    ] = 1000
    channels_at_once: Annotated[
        Annotated[int, Meta(ge=1, le=32)], Meta(description="Channels whose history is read at once in a training.")
    ] = 4
    trainings_at_once: Annotated[
        Annotated[int, Meta(ge=1, le=32)], Meta(description="Guilds whose trainings run at once; others wait in order.")
    ] = 4
    leave_days: Annotated[
        Annotated[float, Meta(ge=0, extra={"unit": "days"})],
        Meta(description="How long a guild that the bot left is remembered; then its chain is deleted."),
    ] = 7.0
    own_chains: Annotated[
        Annotated[int, Meta(ge=0, le=10_000)],
        Meta(description="Members of one guild who may have a chain of their own; each is looked into at deletions."),
    ] = 100
    import_bytes: Annotated[Bytes, Meta(description="The largest file that `/train` takes as an attachment.")] = (
        64 << 20
    )
    attachment_bytes: Annotated[
        Bytes, Meta(description="The largest attachment of a source message that is posted again.")
    ] = 8 << 20
    refreshed_urls: Annotated[
        Annotated[int, Meta(ge=16)], Meta(description="Addresses of attachments that are remembered once refreshed.")
    ] = 4096
    waiting_changes: Annotated[
        Annotated[int, Meta(ge=16)],
        Meta(description="Messages to learn or unlearn that wait while another process writes a guild's chain."),
    ] = 1024
    answers_at_once: Annotated[
        Annotated[int, Meta(ge=1)],
        Meta(description="Messages of one guild that are being answered; one more is learned and not answered."),
    ] = 8
    slow_ms: Annotated[
        Annotated[float, Meta(gt=0, extra={"unit": "milliseconds"})],
        Meta(description="What the bot does that takes longer is counted and logged."),
    ] = 1000.0
    metrics_port: Annotated[
        Port, Meta(description="The port of the metrics page of `bot discord`, on `metrics.host`; 0 switches it off.")
    ] = 9478


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole tree."""

    fleet: FleetSettings = FleetSettings()
    network: NetworkSettings = NetworkSettings()
    decoys: DecoySettings = DecoySettings()
    capture: CaptureSettings = CaptureSettings()
    services: dict[str, ServiceSettings] = {}
    journal: JournalSettings = JournalSettings()
    store: StoreSettings = StoreSettings()
    metrics: MetricsSettings = MetricsSettings()
    chain: ChainSettings = ChainSettings()
    bot: BotSettings = BotSettings()
    given: tuple[str, ...] = ()
    """The paths of the settings that somebody gave, by name: a budget does not change them. No section: `load` fills it
    in.
    """


SECTIONS: dict[str, type[Section]] = {
    "fleet": FleetSettings,
    "network": NetworkSettings,
    "decoys": DecoySettings,
    "capture": CaptureSettings,
    "services.<name>": ServiceSettings,
    "journal": JournalSettings,
    "store": StoreSettings,
    "metrics": MetricsSettings,
    "chain": ChainSettings,
    "chain.candidate": CandidateSettings,
    "chain.serve": ServeSettings,
    "bot": BotSettings,
}
