"""The processes that a host seems to run: made from its persona, the same on every visit until it boots again."""

from collections.abc import Iterator

import msgspec

from chaffinch.personas.machine import machine_of
from chaffinch.personas.persona import Persona


class Process(msgspec.Struct, frozen=True, gc=False):
    """One row of `ps`. Sizes in KiB; `started` in seconds since the epoch; `cpu` in seconds."""

    pid: int
    ppid: int
    user: str
    command: str
    virtual: int
    resident: int
    state: str
    tty: str
    started: float
    cpu: int


_KERNEL = [
    "kthreadd",
    "rcu_gp",
    "rcu_par_gp",
    "slub_flushwq",
    "netns",
    "kworker/0:0H-events_highpri",
    "mm_percpu_wq",
    "rcu_tasks_kthread",
    "rcu_tasks_rude_kthread",
    "rcu_tasks_trace_kthread",
    "ksoftirqd/0",
    "rcu_preempt",
    "migration/0",
    "cpuhp/0",
    "kdevtmpfs",
    "inet_frag_wq",
    "kauditd",
    "khungtaskd",
    "oom_reaper",
    "writeback",
    "kcompactd0",
    "ksmd",
    "khugepaged",
    "kintegrityd",
    "kblockd",
    "blkcg_punt_bio",
    "tpm_dev_wq",
    "edac-poller",
    "devfreq_wq",
    "kswapd0",
    "kthrotld",
    "acpi_thermal_pm",
    "mld",
    "ipv6_addrconf",
    "kstrp",
    "scsi_eh_0",
    "jbd2/sda1-8",
    "ext4-rsv-conver",
]

_DAEMONS = (
    ("root", "/lib/systemd/systemd-journald", 33, 12),
    ("root", "/lib/systemd/systemd-udevd", 26, 6),
    ("systemd-timesync", "/lib/systemd/systemd-timesyncd", 90, 6),
    ("root", "/usr/sbin/cron -f", 6, 2),
    (
        "messagebus",
        "/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation --syslog-only",
        9,
        4,
    ),
    ("root", "/lib/systemd/systemd-logind", 49, 7),
    ("root", "/usr/sbin/rsyslogd -n -iNONE", 222, 5),
    ("root", "/sbin/agetty -o -p -- \\u --noclear - linux", 6, 1),
)

_SERVICES = {
    "ssh": (("root", "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", 15, 9),),
    "telnet": (("root", "/usr/sbin/inetd", 4, 1),),
    "http": (
        ("root", "nginx: master process /usr/sbin/nginx -g daemon on; master_process on;", 55, 2),
        ("www-data", "nginx: worker process", 56, 5),
    ),
    "ftp": (("root", "/usr/sbin/vsftpd /etc/vsftpd.conf", 9, 3),),
    "smtp": (
        ("root", "/usr/lib/postfix/sbin/master -w", 42, 4),
        ("postfix", "pickup -l -t unix -u -c", 42, 7),
        ("postfix", "qmgr -l -t unix -u", 43, 7),
    ),
    "redis": (("redis", "/usr/bin/redis-server 0.0.0.0:6379", 65, 11),),
    "mysql": (("mysql", "/usr/sbin/mariadbd", 1312, 98),),
    "memcached": (
        (
            "memcache",
            "/usr/bin/memcached -m 64 -p 11211 -u memcache -l 0.0.0.0 -P /var/run/memcached/memcached.pid",
            412,
            3,
        ),
    ),
}

_EMBEDDED = (
    "watchdog /dev/watchdog",
    "/sbin/syslogd -n",
    "/sbin/klogd -n",
    "udhcpc -i eth0 -s /etc/udhcpc.script -b",
    "/usr/bin/monitor",
    "/usr/sbin/httpd -h /www",
)


def processes(persona: Persona, now: float) -> list[Process]:
    """Kernel threads, daemons and services, by number."""
    draw = persona.derive("processes", 16)
    return [
        _first(persona, now, draw),
        *_kernel_threads(persona, now, draw),
        *_daemons(persona, now, draw),
    ]


def _is_small(persona: Persona) -> bool:
    return persona.os.family == "embedded"


def _first(persona: Persona, now: float, draw: bytes) -> Process:
    booted = persona.booted(now)
    spent = int((now - booted) / 40000) + 2
    if _is_small(persona):
        return Process(1, 0, "root", "init", 1312, 420, "Ss", "?", booted, spent)
    return Process(1, 0, "root", "/sbin/init", 168_000 + draw[0] * 4, 12_000 + draw[1], "Ss", "?", booted, spent)


def _kernel_threads(persona: Persona, now: float, draw: bytes) -> Iterator[Process]:
    booted, pid = persona.booted(now), 2
    for name in _KERNEL[: 12 if _is_small(persona) else None]:
        parent = 0 if pid == 2 else 2
        state = "S" if pid % 3 else "I<"
        spent = int((now - booted) / 90000) if pid % 7 == 0 else 0
        yield Process(pid, parent, "root", f"[{name}]", 0, 0, state, "?", booted, spent)
        pid += 1 + draw[pid % 16] % 3


def _daemons(persona: Persona, now: float, draw: bytes) -> Iterator[Process]:
    booted = persona.booted(now)
    rows: list[tuple[str, str, int, int]] = []
    if _is_small(persona):
        pid = 60 + draw[3] % 20
        rows += [("root", command, 1, 0) for command in _EMBEDDED]
    else:
        pid = 180 + draw[3]
        rows += _DAEMONS
        for service in persona.services:
            rows += _SERVICES.get(service.name, ())
    for at, (user, command, virtual, resident) in enumerate(rows):
        wobble = draw[at % 16]
        yield Process(
            pid,
            1,
            user,
            command,
            virtual * 1024 + wobble * 4,
            resident * 1024 + wobble,
            "Ss" if at % 2 else "Ssl",
            "tty1" if "agetty" in command else "?",
            booted + 3 + at // 3,
            int((now - booted) / 200000 * (wobble % 9)),
        )
        pid += 1 + wobble % 37


def share(persona: Persona, process: Process) -> float:
    """The percentage of memory that a process holds."""
    return process.resident * 100 / machine_of(persona).memory
