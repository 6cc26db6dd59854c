"""INFO: the sections of Redis 7.0 in their order, with this host's values, which move with time."""

import math
import time
from collections.abc import Callable

from chaffinch.decoys.redis.client import Client, connections_since_boot
from chaffinch.decoys.redis.commands_connection import applications

_STARTUP_BYTES = 876_464
"""What the server takes before it holds anything: the same on every x86-64 Debian 12."""

Lines = list[tuple[str, object]]


class Readings:
    """A host's figures at one moment. Everything derives from the persona, its uptime and what the source changed."""

    def __init__(self, client: Client, now: float) -> None:
        session = client.session
        self.client = client
        self.session = session
        self.persona = session.persona
        self.now = now
        dice = self.persona.random("redis info")
        # The service starts some seconds after the machine.
        self.up = max(1, int(now - self.persona.booted(now)) - dice.randrange(4, 15))
        self.pid = dice.randrange(380, 1400)
        self.run_id = self.persona.derive(f"redis run {int(now - self.up) // 3600}", 20).hex()
        self.total_memory = (
            dice.choice((2, 4, 8, 16, 32)) * (1 << 30) - dice.randrange(40, 400) * (1 << 20) // 4096 * 4096
        )
        self.drift = math.sin(now / dice.randrange(170, 900)) * 0.5 + 0.5
        self.clients = applications(client) + 1
        self.connections = connections_since_boot(session, now)
        self.commands = self.connections * 40 + int(self.up * dice.uniform(0.2, 3.0))
        self.base_memory = dice.randrange(40_000, 900_000)
        self.resident = dice.randrange(9 << 20, 14 << 20) // 4096 * 4096

    @property
    def used(self) -> int:
        """Bytes in use now."""
        return _STARTUP_BYTES + self.base_memory + int(self.drift * 60_000) // 8 * 8 + self.client.store.held

    @property
    def peak(self) -> int:
        """The most bytes that were in use."""
        return _STARTUP_BYTES + self.base_memory + 61_000 + max(240_000, self.client.store.held)


def report(client: Client, wanted: list[bytes]) -> bytes:
    """The text of INFO for these sections (lower case); all usual ones when there is none."""
    names = {name.decode("latin-1") for name in wanted}
    readings = Readings(client, time.time())
    every = bool(names & {"all", "everything"})
    usual = not names or "default" in names or every
    parts = [
        f"# {title}\r\n" + "".join(f"{name}:{value}\r\n" for name, value in section(readings))
        for title, section in _SECTIONS.items()
        if title.lower() in names
        or (usual and (every or title not in _ASKED_FOR))
        or (title == "Modules" and "everything" in names)
    ]
    return "\r\n".join(parts).encode()


def last_save(client: Client) -> int:
    """When the last dump was written: every hour or so, or when the source asked."""
    if client.store.saved:
        return client.store.saved
    now = time.time()
    phase = int.from_bytes(client.session.persona.derive("redis last save", 2), "big") % 3600
    return max(
        int(now - client.session.persona.booted(now)) and int(client.session.persona.booted(now)),
        int((now - phase) // 3600) * 3600 + phase,
    )


def human(count: int) -> str:
    """Bytes as INFO shows them: `895.40K`."""
    for limit, unit in ((1 << 10, "B"), (1 << 20, "K"), (1 << 30, "M"), (1 << 40, "G")):
        if count < limit:
            return f"{count}B" if unit == "B" else f"{count / (limit >> 10):.2f}{unit}"
    return f"{count / (1 << 40):.2f}T"


def _server(at: Readings) -> Lines:
    os = at.persona.os
    return [
        ("redis_version", at.session.service.version),
        ("redis_git_sha1", "00000000"),
        ("redis_git_dirty", 0),
        ("redis_build_id", at.session.service.option("build-id", "ae4d7c971a948f0")),
        ("redis_mode", "standalone"),
        ("os", f"Linux {os.kernel} {os.machine}"),
        ("arch_bits", 64),
        ("monotonic_clock", "POSIX clock_gettime"),
        ("multiplexing_api", "epoll"),
        ("atomicvar_api", "c11-builtin"),
        ("gcc_version", "12.2.0"),
        ("process_id", at.pid),
        ("process_supervised", "systemd"),
        ("run_id", at.run_id),
        ("tcp_port", at.session.service.port),
        ("server_time_usec", int(at.now * 1_000_000)),
        ("uptime_in_seconds", at.up),
        ("uptime_in_days", at.up // 86400),
        ("hz", 10),
        ("configured_hz", 10),
        ("lru_clock", int(at.now) & 0xFFFFFF),
        ("executable", "/usr/bin/redis-server"),
        ("config_file", "/etc/redis/redis.conf"),
        ("io_threads_active", 0),
    ]


def _clients(at: Readings) -> Lines:
    return [
        ("connected_clients", at.clients),
        ("cluster_connections", 0),
        ("maxclients", at.client.setting("maxclients", "10000")),
        ("client_recent_max_input_buffer", 20480),
        ("client_recent_max_output_buffer", 0),
        ("blocked_clients", 0),
        ("tracking_clients", 0),
        ("clients_in_timeout_table", 0),
    ]


def _memory(at: Readings) -> Lines:
    used, peak = at.used, at.peak
    overhead = _STARTUP_BYTES + 200 + at.clients * 1800
    dataset = used - overhead
    allocated = used + 690_000 + int(at.drift * 40_000)
    active = (allocated // 4096 + 48) * 4096
    mapped = (active // 4096 + 650) * 4096
    total = at.total_memory
    limit = int(at.client.setting("maxmemory", "0") or 0)
    return [
        *(("used_memory", used), ("used_memory_human", human(used))),
        *(("used_memory_rss", at.resident), ("used_memory_rss_human", human(at.resident))),
        *(("used_memory_peak", peak), ("used_memory_peak_human", human(peak))),
        ("used_memory_peak_perc", f"{used / peak * 100:.2f}%"),
        ("used_memory_overhead", overhead),
        ("used_memory_startup", _STARTUP_BYTES),
        ("used_memory_dataset", dataset),
        ("used_memory_dataset_perc", f"{dataset / (used - _STARTUP_BYTES) * 100:.2f}%"),
        *(("allocator_allocated", allocated), ("allocator_active", active), ("allocator_resident", mapped)),
        *(("total_system_memory", total), ("total_system_memory_human", human(total))),
        *(("used_memory_lua", 31744), ("used_memory_vm_eval", 31744), ("used_memory_lua_human", "31.00K")),
        *(("used_memory_scripts_eval", 0), ("number_of_cached_scripts", len(at.client.store.scripts))),
        *(("number_of_functions", 0), ("number_of_libraries", 0), ("used_memory_vm_functions", 32768)),
        *(("used_memory_vm_total", 64512), ("used_memory_vm_total_human", "63.00K"), ("used_memory_functions", 184)),
        *(("used_memory_scripts", 184), ("used_memory_scripts_human", "184B")),
        *(("maxmemory", limit), ("maxmemory_human", human(limit))),
        ("maxmemory_policy", at.client.setting("maxmemory-policy", "noeviction")),
        *(("allocator_frag_ratio", f"{active / allocated:.2f}"), ("allocator_frag_bytes", active - allocated)),
        *(("allocator_rss_ratio", f"{mapped / active:.2f}"), ("allocator_rss_bytes", mapped - active)),
        *(("rss_overhead_ratio", f"{at.resident / mapped:.2f}"), ("rss_overhead_bytes", at.resident - mapped)),
        *(("mem_fragmentation_ratio", f"{at.resident / used:.2f}"), ("mem_fragmentation_bytes", at.resident - used)),
        *(("mem_not_counted_for_evict", 0), ("mem_replication_backlog", 0), ("mem_total_replication_buffers", 0)),
        *(("mem_clients_slaves", 0), ("mem_clients_normal", at.clients * 1800), ("mem_cluster_links", 0)),
        *(("mem_aof_buffer", 0), ("mem_allocator", "jemalloc-5.3.0"), ("active_defrag_running", 0)),
        *(("lazyfree_pending_objects", 0), ("lazyfreed_objects", 0)),
    ]


def _zeros(names: str) -> Lines:
    return [(name, 0) for name in names.split()]


def _persistence(at: Readings) -> Lines:
    saves = at.up // 3600
    return [
        *_zeros("loading async_loading current_cow_peak current_cow_size current_cow_size_age"),
        ("current_fork_perc", "0.00"),
        *_zeros("current_save_keys_processed current_save_keys_total"),
        ("rdb_changes_since_last_save", int(at.now) % 3600 // 37),
        ("rdb_bgsave_in_progress", 0),
        ("rdb_last_save_time", last_save(at.client)),
        ("rdb_last_bgsave_status", "ok"),
        ("rdb_last_bgsave_time_sec", 0 if saves else -1),
        ("rdb_current_bgsave_time_sec", -1),
        ("rdb_saves", saves),
        ("rdb_last_cow_size", 372736 if saves else 0),
        *_zeros("rdb_last_load_keys_expired rdb_last_load_keys_loaded"),
        *(("aof_enabled", 0), ("aof_rewrite_in_progress", 0), ("aof_rewrite_scheduled", 0)),
        *(("aof_last_rewrite_time_sec", -1), ("aof_current_rewrite_time_sec", -1), ("aof_last_bgrewrite_status", "ok")),
        *(("aof_rewrites", 0), ("aof_rewrites_consecutive_failures", 0), ("aof_last_write_status", "ok")),
        *_zeros("aof_last_cow_size module_fork_in_progress module_fork_last_cow_size"),
    ]


def _stats(at: Readings) -> Lines:
    keys = at.commands * 11 // 20
    return [
        ("total_connections_received", at.client.id),
        ("total_commands_processed", at.commands + at.client.requests),
        ("instantaneous_ops_per_sec", 1 + int(at.drift * 5)),
        ("total_net_input_bytes", at.commands * 47),
        ("total_net_output_bytes", at.commands * 113),
        *_zeros("total_net_repl_input_bytes total_net_repl_output_bytes"),
        ("instantaneous_input_kbps", f"{0.05 + at.drift * 0.4:.2f}"),
        ("instantaneous_output_kbps", f"{0.2 + at.drift * 3:.2f}"),
        *(("instantaneous_input_repl_kbps", "0.00"), ("instantaneous_output_repl_kbps", "0.00")),
        *_zeros("rejected_connections sync_full sync_partial_ok sync_partial_err"),
        *(("expired_keys", at.up // 1400), ("expired_stale_perc", "0.00"), ("expired_time_cap_reached_count", 0)),
        ("expire_cycle_cpu_milliseconds", at.up // 45),
        *_zeros("evicted_keys evicted_clients total_eviction_exceeded_time current_eviction_exceeded_time"),
        *(("keyspace_hits", keys * 9 // 10), ("keyspace_misses", keys // 10)),
        *_zeros("pubsub_channels pubsub_patterns pubsubshard_channels"),
        ("latest_fork_usec", 0 if at.up < 3600 else 210 + at.pid % 300),
        ("total_forks", at.up // 3600),
        *_zeros("migrate_cached_sockets slave_expires_tracked_keys active_defrag_hits active_defrag_misses"),
        *_zeros("active_defrag_key_hits active_defrag_key_misses total_active_defrag_time current_active_defrag_time"),
        *_zeros("tracking_total_keys tracking_total_items tracking_total_prefixes unexpected_error_replies"),
        *(("total_error_replies", at.connections // 90), ("dump_payload_sanitizations", 0)),
        ("total_reads_processed", at.commands + at.connections),
        ("total_writes_processed", at.commands),
        *_zeros("io_threaded_reads_processed io_threaded_writes_processed"),
        *(("reply_buffer_shrinks", at.connections // 3), ("reply_buffer_expands", at.connections // 7)),
    ]


def _replication(at: Readings) -> Lines:
    master = at.client.store.master
    identity = at.persona.derive(f"redis replication {at.run_id}", 20).hex()
    role: Lines = [("role", "master")]
    if master is not None:
        role = [
            *(("role", "slave"), ("master_host", master[0].decode("utf-8", "replace")), ("master_port", master[1])),
            *(("master_link_status", "down"), ("master_last_io_seconds_ago", -1), ("master_sync_in_progress", 0)),
            *(("slave_read_repl_offset", 0), ("slave_repl_offset", 0), ("master_link_down_since_seconds", -1)),
            *(("slave_priority", 100), ("slave_read_only", 1), ("replica_announced", 1)),
        ]
    return [
        *role,
        *(("connected_slaves", 0), ("master_failover_state", "no-failover"), ("master_replid", identity)),
        *(("master_replid2", "0" * 40), ("master_repl_offset", 0), ("second_repl_offset", -1)),
        *(("repl_backlog_active", 0), ("repl_backlog_size", 1048576)),
        *_zeros("repl_backlog_first_byte_offset repl_backlog_histlen"),
    ]


def _cpu(at: Readings) -> Lines:
    system, user = at.up * 0.00113, at.up * 0.00097
    return [
        *(("used_cpu_sys", f"{system:.6f}"), ("used_cpu_user", f"{user:.6f}")),
        *(("used_cpu_sys_children", f"{at.up / 9e5:.6f}"), ("used_cpu_user_children", f"{at.up / 7e5:.6f}")),
        *(("used_cpu_sys_main_thread", f"{system * 0.996:.6f}"), ("used_cpu_user_main_thread", f"{user * 0.994:.6f}")),
    ]


def _keyspace(at: Readings) -> Lines:
    lines: Lines = []
    for number, database in sorted(at.client.store.databases.items()):
        left = [when - at.now * 1000 for when in database.expires.values()]
        if database.values:
            average = int(sum(left) / len(left)) if left else 0
            lines.append((f"db{number}", f"keys={len(database.values)},expires={len(left)},avg_ttl={max(0, average)}"))
    return lines


def _commandstats(at: Readings) -> Lines:
    shares = {"get": 0.45, "set": 0.25, "expire": 0.15, "lpop": 0.1, "ping": 0.05}
    calls = {name: int(at.commands * share) for name, share in shares.items()}
    return [
        (f"cmdstat_{name}", f"calls={count},usec={count * 3},usec_per_call=3.00,rejected_calls=0,failed_calls=0")
        for name, count in calls.items()
    ]


_SECTIONS: dict[str, Callable[[Readings], Lines]] = {
    "Server": _server,
    "Clients": _clients,
    "Memory": _memory,
    "Persistence": _persistence,
    "Stats": _stats,
    "Replication": _replication,
    "CPU": _cpu,
    "Modules": lambda _: [],
    "Commandstats": _commandstats,
    "Errorstats": lambda at: [("errorstat_ERR", f"count={at.connections // 90}")] if at.connections >= 90 else [],
    "Latencystats": lambda _: [("latency_percentiles_usec_get", "p50=2.007,p99=9.023,p99.9=24.063")],
    "Cluster": lambda _: [("cluster_enabled", 0)],
    "Keyspace": _keyspace,
}
_ASKED_FOR = ("Commandstats", "Latencystats")
"""Sections that INFO shows only when they are named, or with all."""


def memory_stats(client: Client) -> list[tuple[str, int | float]]:
    """What MEMORY STATS answers: the memory section's figures under other names."""
    at = Readings(client, time.time())
    said = dict(_memory(at))

    def figure(name: str) -> int:
        return int(str(said[name]))

    used, keys = at.used, client.store.size(0)
    dataset, resident, mapped = figure("used_memory_dataset"), at.resident, figure("allocator_resident")
    active, allocated = figure("allocator_active"), figure("allocator_allocated")
    return [
        *(("peak.allocated", at.peak), ("total.allocated", used), ("startup.allocated", _STARTUP_BYTES)),
        *(("replication.backlog", 0), ("clients.slaves", 0), ("clients.normal", at.clients * 1800)),
        *(("cluster.links", 0), ("aof.buffer", 0), ("lua.caches", 0), ("functions.caches", 184)),
        *(("overhead.total", figure("used_memory_overhead")), ("keys.count", keys)),
        ("keys.bytes-per-key", (used - _STARTUP_BYTES) // keys if keys else 0),
        *(("dataset.bytes", dataset), ("dataset.percentage", dataset / (used - _STARTUP_BYTES) * 100)),
        *(("peak.percentage", used / at.peak * 100), ("allocator.allocated", allocated), ("allocator.active", active)),
        *(("allocator.resident", mapped), ("allocator-fragmentation.ratio", active / allocated)),
        *(("allocator-fragmentation.bytes", active - allocated), ("allocator-rss.ratio", mapped / active)),
        *(("allocator-rss.bytes", mapped - active), ("rss-overhead.ratio", resident / mapped)),
        *(("rss-overhead.bytes", resident - mapped), ("fragmentation", resident / used)),
        ("fragmentation.bytes", resident - used),
    ]
