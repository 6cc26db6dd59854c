"""systemd units for one configuration: what the fleet needs is computed, all else is denied.

A line that depends on the configuration has a comment that says why it is there (systemd.exec(5),
systemd.resource-control(5)). The units suit systemd 247 and later.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from chaffinch.chat import token
from chaffinch.config import Config
from chaffinch.errors import InputError
from chaffinch.fleet.allowances import Allowances, allowances
from chaffinch.fleet.installation import Installation
from chaffinch.fleet.workers import BOT, Worker
from chaffinch.network.netns.blueprint import THIS_MACHINE
from chaffinch.network.plan import Plan

NAME: Final = "chaffinch"
"""Of the unit, of its user, and of its directories below /var/lib and /etc."""

CONFIG: Final = Path("/etc/chaffinch/chaffinch.toml")
TOKEN: Final = CONFIG.parent / token.FILE
"""Where the Discord bot's token is: systemd reads it as root, and hands it to the unit alone (systemd.exec(5))."""

PRIVILEGED_MODES: Final[frozenset[str]] = frozenset({"netns"})
"""Network modes for which root makes a network; the groups give root up by themselves."""

BUILDS_A_NETWORK: Final = (
    "CAP_SYS_ADMIN CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE CAP_SETUID CAP_SETGID CAP_SETPCAP CAP_CHOWN "
    "CAP_DAC_OVERRIDE CAP_KILL"
)
"""For the namespace and its links; for the ports in it; to become `fleet.user`, to hand it its files, to end it."""

UNPRIVILEGED_PORT: Final = 1024
"""Below it a port takes CAP_NET_BIND_SERVICE (`net.ipv4.ip_unprivileged_port_start`, ip(7))."""

WATCHDOG_SECONDS: Final = 30
"""The supervisor turns twice a second; that it does not for so long means that it is stuck."""

ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "%": "%%", "$": "$$"}

UNSTARTABLE: Final = frozenset("\"'\\$")
"""systemd 252 refuses quotes and backslashes in a program's path, and takes `$` there for a variable's."""

BAD_INPUT: Final = 2
"""The exit code for a configuration that cannot be: starting again does not mend it."""


def one(config: Config, plan: Plan, groups: dict[str, tuple[Worker, ...]], where: Installation) -> dict[str, str]:
    """The unit of a whole fleet, by file name."""
    limits = allowances(config, groups)
    body = [
        *_head("Chaffinch, a deception network", config),
        *_service(config, where, limits, ""),
        *(_credential() if takes_credential(config) else ()),
        *_memory(config, limits),
        *_delegated("system.slice"),
        *_denied(config, plan, where),
        *_installed("multi-user.target"),
    ]
    return {f"{NAME}.service": _text(body)}


def split(config: Config, plan: Plan, groups: dict[str, tuple[Worker, ...]], where: Installation) -> dict[str, str]:
    """A template with an instance for each group, the slice that holds the budget, and the target that starts all."""
    limits = allowances(config, groups)
    template = [
        *_head("Chaffinch, a deception network: group %i", config),
        f"PartOf={NAME}.target",
        *_service(config, where, limits, " --only %i"),
        "# The budget is the slice's: groups take from it what they need.",
        f"Slice={NAME}.slice",
        *_delegated(f"{NAME}.slice"),
        *_denied(config, plan, where),
        *_installed(f"{NAME}.target"),
    ]
    target = ["[Unit]", "Description=Chaffinch, a deception network: all groups", *_installed("multi-user.target")]
    held = ["[Unit]", "Description=Chaffinch, a deception network: what its groups may hold", "", "[Slice]"]
    texts = {
        f"{NAME}@.service": _text(template),
        f"{NAME}.target": _text(target),
        f"{NAME}.slice": _text([*held, *_memory(config, limits)]),
    }
    if takes_credential(config):
        # A drop-in of that instance: the others see nothing of it.
        its = next(name for name, members in groups.items() if BOT in members)
        texts[f"{NAME}@{its}.service.d/{token.FILE}.conf"] = _text(["[Service]", *_credential()])
    return texts


def is_root(config: Config) -> bool:
    """Whether the fleet has to be started by root."""
    return config.network.mode in PRIVILEGED_MODES


def takes_credential(config: Config) -> bool:
    """Whether the Discord bot gets its token from systemd: the unit's user has no file, and can read none of root's."""
    return config.bot.enabled and not config.bot.token_file


def to_enable(groups: dict[str, tuple[Worker, ...]], *, split: bool) -> tuple[str, ...]:
    """What `systemctl enable` is to be told."""
    if split:
        return (f"{NAME}.target", *(f"{NAME}@{name}.service" for name in groups))
    return (f"{NAME}.service",)


def _text(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"


def _head(what: str, config: Config) -> Iterator[str]:
    yield f"# Written by `{NAME} init --systemd` from the configuration; written anew when that changes."
    yield "[Unit]"
    yield f"Description={what}"
    if is_root(config):
        yield "# network.mode: the fleet's network is joined to a device."
        yield "Wants=network-online.target"
        yield "After=network-online.target"
    else:
        yield "After=network.target"


def _service(config: Config, where: Installation, limits: Allowances, only: str) -> Iterator[str]:
    yield from ("", "[Service]", "Type=notify", _start(where, only))
    if where.can_reload:
        yield f"ExecReload={_program(where)} reload --state %S/{NAME}"
    yield f"WatchdogSec={WATCHDOG_SECONDS}"
    yield "Restart=on-failure"
    yield "RestartSec=1"
    yield "# What cannot be by its configuration cannot be the next time either."
    yield f"RestartPreventExitStatus={BAD_INPUT}"
    yield "# What it prints is for people; its log goes to standard error, and to fleet.log in the state directory."
    yield "StandardOutput=null"
    yield "# The supervisor asks its groups to end; they do not hear of it twice."
    yield "KillMode=mixed"
    yield f"# fleet.drain_seconds is {config.fleet.drain_seconds:g}."
    yield f"TimeoutStopSec={config.fleet.drain_seconds + 5:g}"
    yield "# A group that the kernel kills for its memory is started again by its supervisor."
    yield "OOMPolicy=continue"
    yield f"StateDirectory={NAME}"
    yield "StateDirectoryMode=0700"
    yield "UMask=0077"
    yield f"# {limits.descriptors_why}"
    yield f"LimitNOFILE={limits.descriptors}"
    yield f"# {limits.tasks_why}"
    yield f"TasksMax={limits.tasks}"


def _credential() -> Iterator[str]:
    yield "# The Discord bot's token: a file that root alone can read."
    yield f"LoadCredential={token.FILE}:{TOKEN}"


def _program(where: Installation) -> str:
    """Raises `InputError` for a path that no unit can start, however it is written."""
    path = where.program[0]
    if set(path) & UNSTARTABLE or not path.isprintable():
        raise InputError(f"systemd starts no program whose path has quotes, $ or \\ in it, as {path!r} has; move it")
    return " ".join(map(_quoted, where.program))


def _start(where: Installation, only: str) -> str:
    read = f" --config {_quoted(str(where.config))}" if where.config else ""
    return f"ExecStart={_program(where)} up --state %S/{NAME}{read}{only}"


def _memory(config: Config, limits: Allowances) -> Iterator[str]:
    if not config.fleet.memory:
        yield "# fleet.memory states no budget, so nothing here does."
        return
    yield from (f"# {line}" for line in limits.memory_why)
    yield f"MemoryHigh={limits.memory_high}"
    yield f"MemoryMax={limits.memory_max}"


def _delegated(cgroup_slice: str) -> Iterator[str]:
    """The unit's own cgroup, to divide; ProtectControlGroups= keeps every other one read-only."""
    yield "# Each group gets a cgroup below the unit's, with a limit by its share; without cgroup v2 it does without."
    yield "Delegate=memory"
    yield f"ReadWritePaths=-/sys/fs/cgroup/{cgroup_slice}/%n"


def _denied(config: Config, plan: Plan, where: Installation) -> Iterator[str]:
    as_root = is_root(config)
    yield ""
    yield from _user(config, plan, as_root=as_root)
    yield from _files(where, as_root=as_root)
    yield from _kernel(as_root=as_root)
    yield from _network(config, as_root=as_root)


def _user(config: Config, plan: Plan, *, as_root: bool) -> Iterator[str]:
    """Who it runs as, and with which capabilities."""
    if as_root:
        yield "# network.mode: root builds the fleet's network; the groups give root up by themselves (fleet.user)."
        yield f"CapabilityBoundingSet={BUILDS_A_NETWORK}"
    else:
        yield "# A user that exists while the fleet runs; fleet.user is for fleets that root starts."
        yield "DynamicUser=yes"
        yield f"User={NAME}"
        yield from _lent(config, plan)
    yield from ("NoNewPrivileges=yes", "RestrictSUIDSGID=yes", "KeyringMode=private", "RemoveIPC=yes")


def _lent(config: Config, plan: Plan) -> Iterator[str]:
    """What that user is lent; within a user namespace it would be good for nothing outside."""
    lent = _capabilities(config, plan)
    if not lent:
        yield f"# Every port is {UNPRIVILEGED_PORT} or more."
        yield "CapabilityBoundingSet="
        yield "PrivateUsers=yes"
        return
    yield from (f"# {name}: {why}." for name, why in lent.items())
    yield "# The groups give up what is lent."
    yield f"AmbientCapabilities={' '.join(lent)}"
    yield f"CapabilityBoundingSet={' '.join(lent)}"


def _capabilities(config: Config, plan: Plan) -> dict[str, str]:
    """What the fleet takes as another user than root, and why."""
    low = sorted({port.listen for port in plan.ports if port.listen < UNPRIVILEGED_PORT})
    bound = {"CAP_NET_BIND_SERVICE": f"ports {', '.join(map(str, low))}"} if low else {}
    return bound | ({"CAP_NET_RAW": "the raw socket of capture"} if config.capture.enabled else {})


def _files(where: Installation, *, as_root: bool) -> Iterator[str]:
    """What it sees, and where it writes: below its state directory alone."""
    yield "ProtectSystem=strict"
    if where.homes:
        yield f"# {where.homes[0]} is read."
        yield "ProtectHome=read-only"
    else:
        yield "ProtectHome=yes"
    yield from ("PrivateTmp=yes", "PrivateDevices=yes", "ProtectProc=invisible")
    if as_root:
        yield "# The fleet's network has a name there, and settings below /proc/sys/net."
        yield "ReadWritePaths=/run"
    else:
        yield "ProcSubset=pid"


def _kernel(*, as_root: bool) -> Iterator[str]:
    """What it may ask of the kernel."""
    yield from ("ProtectClock=yes", "ProtectHostname=yes", "ProtectControlGroups=yes", "ProtectKernelLogs=yes")
    yield "ProtectKernelModules=yes"
    if as_root:
        yield "# Settings of the fleet's own network are written below /proc/sys/net."
        yield "ProtectKernelTunables=no"
        yield "RestrictNamespaces=net mnt"
    else:
        yield "ProtectKernelTunables=yes"
        yield "RestrictNamespaces=yes"
    yield from ("LockPersonality=yes", "MemoryDenyWriteExecute=yes", "RestrictRealtime=yes")
    yield "SystemCallArchitectures=native"
    yield "SystemCallFilter=@system-service"
    if as_root:
        yield "SystemCallFilter=@mount setns unshare bpf"
    else:
        yield "SystemCallFilter=~@privileged @resources"
        yield "# To give capabilities up, where there are any."
        yield "SystemCallFilter=capset"
    yield "# With these each group confines itself further."
    yield "SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self"
    yield "SystemCallErrorNumber=EPERM"


def _network(config: Config, *, as_root: bool) -> Iterator[str]:
    """Whom it may speak with."""
    families = ["AF_UNIX", "AF_INET"]
    if config.bot.enabled:
        yield "# The Discord bot: Discord has IPv6 addresses, too."
        families.append("AF_INET6")
    elif config.metrics.port and ":" in config.metrics.host:
        yield "# metrics.host is an IPv6 address."
        families.append("AF_INET6")
    if config.capture.enabled:
        yield "# The raw socket of capture."
        families.append("AF_PACKET")
    elif as_root and config.network.device != THIS_MACHINE:
        yield "# network.device: before its segment is joined, it is asked by ARP whether a machine has an address."
        families.append("AF_PACKET")
    if as_root:
        yield "# Links and routes of the fleet's own network are made over netlink."
        families.append("AF_NETLINK")
    yield f"RestrictAddressFamilies={' '.join(families)}"
    reached = _who_is_reached(config)
    if reached:
        yield f"# No IPAddressDeny=any: {reached}."
    else:
        yield "# The decoy hosts and the metrics page are on loopback: nothing comes from elsewhere, nothing leaves."
        yield "IPAddressDeny=any"
        yield "IPAddressAllow=localhost"


def _who_is_reached(config: Config) -> str:
    """Why other machines must be reached; empty when none are."""
    if is_root(config):
        return "other machines reach the decoy hosts"
    if config.fleet.workers:
        return f"other packages' workers may speak with other machines ({', '.join(config.fleet.workers)})"
    if config.bot.enabled:
        return "the Discord bot speaks with Discord"
    if config.metrics.port and not _is_loopback(config.metrics.host):
        return f"other machines reach the metrics page on {config.metrics.host}"
    return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _installed(by: str) -> Iterator[str]:
    yield from ("", "[Install]", f"WantedBy={by}")


def _quoted(word: str) -> str:
    """A word as `Exec...=` takes it (systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers")."""
    escaped = "".join(_escaped(letter) for letter in word)
    return f'"{escaped}"' if escaped != word or set(word) & set(" ';") else escaped


def _escaped(letter: str) -> str:
    return f"\\x{ord(letter):02x}" if ord(letter) < 32 or ord(letter) == 127 else ESCAPES.get(letter, letter)
