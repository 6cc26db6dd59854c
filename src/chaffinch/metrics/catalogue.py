"""Every metric that exists: a table. Names stand here as code uses them, without the prefix `chaffinch_`."""

from typing import Final, Literal

import msgspec

PREFIX: Final = "chaffinch_"

Kind = Literal["counter", "gauge", "latency", "histogram"]


class Metric(msgspec.Struct, frozen=True, gc=False):
    """One row. A name ends in its unit, if it has one; latencies are shown in seconds."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""

    @property
    def exposed(self) -> str:
        """The name of its samples on the metrics page."""
        return PREFIX + self.name + ("_total" if self.kind == "counter" else "")


METRICS: Final = (
    Metric("sessions_open", "gauge", "Sessions that are open now.", ("service", "group")),
    Metric("sessions_opened", "counter", "Connections that became a session.", ("service",)),
    Metric("sessions_recorded", "counter", "Sessions recorded one by one.", ("service",)),
    Metric("sessions_collapsed", "counter", "Sessions counted in a collapsed record.", ("service",)),
    Metric("sessions_evicted", "counter", "Sessions ended to make room for new ones.", ("service",)),
    Metric("sessions_refused", "counter", "Sessions refused because memory was short.", ("service",)),
    Metric("record_rate", "gauge", "Facts of one kind recorded a second now, for one source.", ("service", "group")),
    Metric("session_bytes", "gauge", "What all sessions hold unread, unsent and half uploaded.", ("group",), "bytes"),
    Metric("changes_forgotten", "counter", "What sources changed on hosts, gone for want of room."),
    Metric("connections_unserved", "counter", "Connections that no service answers, closed at once.", ("service",)),
    Metric("events_recorded", "counter", "Events handed to the journal.", ("service",)),
    Metric("facts_collapsed", "counter", "Facts counted in a collapsed record.", ("service",)),
    Metric("uploads_refused", "counter", "Uploads of which only the hash was kept.", ("service",)),
    Metric("packets_seen", "counter", "Packets that no listener gets, read by capture."),
    Metric("packets_dropped", "counter", "Such packets for which the kernel had no room."),
    Metric("packets_malformed", "counter", "Such packets without a whole header."),
    Metric("packets_folded", "counter", "Packets counted without their source, for want of a window."),
    Metric("capture_windows", "gauge", "Windows that are open: sources and kinds of packets.", ("group",)),
    Metric("journal_appended", "counter", "Events that the journal made durable."),
    Metric("journal_lost", "counter", "Events that the journal could not keep."),
    Metric("journal_full", "gauge", "1 while the disk takes no events and they wait in memory.", ("group",)),
    Metric(
        "chain_generation_seconds", "latency", "Calls that generate, not their wait.", ("configuration",), "seconds"
    ),
    Metric("chain_generated", "counter", "Generating: said, nothing_new or error.", ("outcome", "configuration")),
    Metric("chain_add_seconds", "latency", "Calls that learn messages, not their wait.", (), "seconds"),
    Metric("chain_training_seconds", "latency", "Calls that learn a file, not their wait.", (), "seconds"),
    Metric("chain_merge_seconds", "latency", "Merges, in the background or asked for.", (), "seconds"),
    Metric("chain_merge_failed", "counter", "Merges that failed; nothing is lost by that."),
    Metric("chain_messages", "counter", "Messages: learned, duplicate, empty, or no_room for them.", ("outcome",)),
    Metric("chain_cut", "counter", "What caps took: tokens_dropped, tokens_shortened, messages_cut.", ("what",)),
    Metric("chain_replaced", "counter", "Secrets and personal data replaced before they were learned."),
    Metric("chain_forgotten", "counter", "Messages that were forgotten."),
    Metric("chain_cache_hits", "counter", "Calls that found their chain open."),
    Metric("chain_cache_misses", "counter", "Calls that had to open their chain."),
    Metric("chain_cache_hit_ratio", "gauge", "The share of hits since the process started, 0 to 1.", ("group",)),
    Metric("chain_cache_evictions", "counter", "Chains closed for room, or for their age unused.", ("cause",)),
    Metric("chain_cache_open", "gauge", "Chains that are open.", ("group",)),
    Metric("chain_cache_bytes", "gauge", "Memory that open chains are counted with.", ("group",), "bytes"),
    Metric("chain_queue_depth", "gauge", "Calls that wait for a thread.", ("group",)),
    Metric("chain_queue_refused", "counter", "Calls refused because the queue was full, or all open chains in use."),
    Metric("chain_busy_threads", "gauge", "Threads that run a call.", ("group",)),
    Metric("chain_wait_seconds", "latency", "What calls waited for a thread.", (), "seconds"),
    Metric("chain_run_seconds", "latency", "What calls ran on a thread.", ("operation",), "seconds"),
    Metric("chain_slow_operations", "counter", "Calls that ran longer than chain.slow_ms.", ("operation",)),
    Metric("chain_http_requests", "counter", "Requests, by route and status.", ("path", "status")),
    Metric("chain_http_seconds", "latency", "From a request's head until its answer is made.", ("path",), "seconds"),
    Metric("chain_http_connections", "gauge", "Connections to the API that are open.", ("group",)),
    Metric(
        "chain_http_connections_refused",
        "counter",
        "Connections closed: connections, unread, slow_head, malformed, or failed by our fault.",
        ("reason",),
    ),
    Metric(
        "bot_reply_seconds",
        "latency",
        "From the event that asks for an answer until it is posted.",
        ("guild",),
        "seconds",
    ),
    Metric("bot_answers", "counter", "Answers posted, by what asked: mention, autorespond or command.", ("cause",)),
    Metric("bot_refusals", "counter", "Answers that were asked for and not given, by why.", ("reason",)),
    Metric("bot_tries", "counter", "Tries that the messages posted had taken.", ("guild",)),
    Metric("bot_commands", "counter", "Commands given: done, refused or failed.", ("command", "outcome")),
    Metric("bot_learned", "counter", "Messages learned as they came.", ("guild",)),
    Metric("bot_trained", "counter", "Messages learned by trainings.", ("guild",)),
    Metric("bot_edited", "counter", "Messages learned anew, because they were edited.", ("guild",)),
    Metric("bot_forgotten", "counter", "Messages unlearned, whoever asked for it.", ("guild",)),
    Metric(
        "bot_changes_lost", "counter", "Changes of chains that were not made, for want of room to wait.", ("guild",)
    ),
    Metric(
        "bot_changes_waiting", "gauge", "Changes of chains that wait: the chain is held, or the disk full.", ("group",)
    ),
    Metric("bot_forgettings_due", "gauge", "Members whose messages are still to be forgotten.", ("group",)),
    Metric("bot_duties_put_off", "counter", "Forgetting, retention or deletion put off and tried again.", ("duty",)),
    Metric("bot_own_chains_damaged", "counter", "Members' own chains that were damaged, deleted, and begun anew."),
    Metric("bot_guilds_deleted", "counter", "Guilds of which everything was deleted, after the bot had left."),
    Metric(
        "bot_pictures",
        "counter",
        "Attachments to go with answers: posted, none, gone, too_large, busy, failed.",
        ("outcome",),
    ),
    Metric(
        "bot_refreshed_urls",
        "counter",
        "Addresses of attachments: hit (refreshed before) or miss.",
        ("guild", "outcome"),
    ),
    Metric("bot_events_failed", "counter", "Events of Discord's that met a fault; the log has it.", ("event",)),
    Metric("bot_slow_operations", "counter", "Operations that took longer than bot.slow_ms.", ("operation",)),
    Metric(
        "bot_gateway_latency_seconds",
        "gauge",
        "How long Discord's gateway took for the last heartbeat.",
        ("group",),
        "seconds",
    ),
    Metric("bot_connected", "gauge", "1 while there is a session with Discord's gateway.", ("group",)),
    Metric("bot_guilds", "gauge", "Guilds that the bot is in.", ("group",)),
    Metric(
        "load_requests", "counter", "Requests answered or failed, by class of status; none: no answer.", ("status",)
    ),
    Metric("load_errors", "counter", "Requests that failed, by class of error.", ("error",)),
    Metric("load_assertions", "counter", "Assertions: held or failed.", ("outcome",)),
    Metric("load_iterations", "counter", "Iterations begun."),
    Metric("load_asked", "counter", "Iterations that open models asked for."),
    Metric("load_unsent", "counter", "Iterations that were asked for and never began."),
    Metric("load_unanswered", "counter", "Requests given up at the end of a run."),
    Metric("load_cached", "counter", "Steps answered from a user's cache, without a request."),
    Metric("load_delayed", "counter", "Delays by the generator: late, starved (of users) or bound.", ("cause",)),
    Metric("load_sent_again", "counter", "Requests sent again: the peer had closed a connection that it kept."),
    Metric("load_unasked", "counter", "Connections closed: the peer sent what no request had asked for."),
    Metric("load_received_bytes", "counter", "Bytes of answers.", (), "bytes"),
    Metric("load_sent_bytes", "counter", "Bytes of requests.", (), "bytes"),
    Metric("load_folded_requests", "counter", "Requests counted under __other__ for want of labels."),
    Metric("load_folded_records", "counter", "Latencies that lost their label for want of memory."),
    Metric("load_runs", "counter", "Tests that ended: completed, crossed, stopped, memory or failed.", ("outcome",)),
    Metric(
        "load_reloads", "counter", "Scenario files: same, changed, replaced, loaded, refused, failed.", ("outcome",)
    ),
    Metric("load_state", "gauge", "1 for the state of the server: idle, ready, running or standby.", ("state",)),
    Metric("load_info", "gauge", "Who sends: always 1.", ("node", "region", "version")),
    Metric("load_users", "gauge", "Users that are there now."),
    Metric("load_in_flight", "gauge", "Requests that are under way."),
    Metric("load_time_left_seconds", "gauge", "How long iterations of the test still begin.", (), "seconds"),
    Metric("load_saturated", "gauge", "1 while the generator, not the target, is the limit."),
    Metric(
        "load_cpu_ratio", "gauge", "The share of its time that a sending thread is busy, 0 to 1.", ("thread",), "ratio"
    ),
    Metric("load_histograms", "gauge", "Labels that have a histogram."),
    Metric("load_histograms_bytes", "gauge", "What records and histograms take.", (), "bytes"),
    Metric("load_histograms_cap_bytes", "gauge", "What they may take.", (), "bytes"),
    Metric("load_histograms_error_ratio", "gauge", "How far off a label's percentiles are at most.", (), "ratio"),
    Metric("load_percentiles_on", "gauge", "1 while percentiles of labels are recorded."),
    Metric("load_sampling_ratio", "gauge", "The share of requests whose latency is recorded by label.", (), "ratio"),
    Metric("load_folded_labels", "gauge", "Labels counted under __other__, estimated."),
    Metric("load_run_info", "gauge", "The run that goes on: always 1.", ("run", "tenant", "name", "model")),
    Metric("load_run_elapsed_seconds", "gauge", "How long it has gone on.", ("run", "tenant"), "seconds"),
    Metric("load_latency_seconds", "latency", "Latencies of the run.", ("run", "tenant", "counted"), "seconds"),
    Metric(
        "load_latency_distribution_seconds",
        "histogram",
        "The same by bounds, which can be added up.",
        ("run", "tenant", "counted"),
        "seconds",
    ),
    Metric("load_phase_seconds", "latency", "Phases of its requests.", ("run", "tenant", "phase"), "seconds"),
    Metric("load_label_requests", "counter", "Its requests by label.", ("run", "tenant", "label", "status")),
    Metric("load_label_errors", "counter", "Its failed requests by label.", ("run", "tenant", "label", "error")),
    Metric("load_label_iterations", "counter", "Its iterations by scenario.", ("run", "tenant", "label")),
    Metric(
        "load_label_latency_seconds",
        "latency",
        "Its latencies by label.",
        ("run", "tenant", "label", "counted"),
        "seconds",
    ),
    Metric("load_http_requests", "counter", "Requests to the control API, by path and status.", ("path", "status")),
    Metric("load_http_connections", "gauge", "Connections to the control API that are open."),
    Metric(
        "load_http_connections_refused",
        "counter",
        "Connections closed: connections, unread, slow_head, malformed, or failed by our fault.",
        ("reason",),
    ),
    Metric("process_resident_memory_bytes", "gauge", "RSS of the process.", ("group",), "bytes"),
    Metric(
        "process_virtual_memory_bytes", "gauge", "Memory that the process maps, in RAM or not.", ("group",), "bytes"
    ),
    Metric("process_proportional_memory_bytes", "gauge", "PSS: shared pages count by share.", ("group",), "bytes"),
    Metric("process_private_memory_bytes", "gauge", "Memory that only this process maps.", ("group",), "bytes"),
    Metric("process_memory_limit_bytes", "gauge", "The least of cgroup limits and RAM.", ("group",), "bytes"),
    Metric("memory_guard_state", "gauge", "0 normal, 1 warning, 2 critical.", ("group",)),
    Metric("memory_guard_bound_bytes", "gauge", "What the process may hold.", ("group",), "bytes"),
    Metric("memory_guard_bound_changes", "counter", "How often that changed, such as with a cgroup's limit."),
    Metric(
        "memory_guard_threshold_exceeded", "counter", "How often memory came over warning and critical.", ("threshold",)
    ),
    Metric("memory_guard_actions", "counter", "Taken, undone, stays, failed or nothing.", ("action", "outcome")),
    Metric("memory_guard_in_force", "gauge", "How often an action is in force now.", ("action", "group")),
    Metric("memory_guard_exhausted", "gauge", "1 while more has to be given up than there is.", ("group",)),
    Metric("memory_guard_unread", "counter", "Readings that failed; the bound is not watched meanwhile."),
    Metric("metrics_histogram_bytes", "gauge", "Bytes that a latency's histograms hold.", ("metric", "group"), "bytes"),
    Metric("metrics_folded_records", "counter", "Values counted under __other__ for want of room.", ("metric",)),
    Metric("metrics_folded_labels", "gauge", "Labels that fold into __other__, estimated.", ("metric",)),
)

_BY_NAME: Final = {metric.name: metric for metric in METRICS}


def describe(name: str, kind: Kind) -> Metric:
    """The row of this name; a bare one for a metric that somebody else's package adds."""
    return _BY_NAME.get(name) or Metric(name, kind, "", unit="seconds" if kind == "latency" else "")
