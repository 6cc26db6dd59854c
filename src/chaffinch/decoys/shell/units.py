"""What systemd answers: services and their states, shutting down."""

import time

from chaffinch.decoys.shell.call import Call, Command

_UNITS = {
    "ssh": "ssh",
    "http": "nginx",
    "ftp": "vsftpd",
    "smtp": "postfix",
    "redis": "redis-server",
    "mysql": "mariadb",
    "memcached": "memcached",
    "telnet": "inetutils-inetd",
}
_ALIASES = {"sshd": "ssh", "mysql": "mariadb", "redis": "redis-server"}


async def systemctl(call: Call) -> int:
    words = [arg for arg in call.args if not arg.startswith("-")]
    units = {
        "cron",
        "rsyslog",
        "systemd-journald",
        "dbus",
        *(_UNITS[s.name] for s in call.shell.persona.services if s.name in _UNITS),
    }
    verb, unit = [*words, "", ""][:2] if words else ("list-units", "")
    name = unit.removesuffix(".service")
    known = _ALIASES.get(name, name) in units
    if verb in ("is-active", "is-enabled"):
        call.print(("active" if verb == "is-active" else "enabled") if known else "inactive")
        return 0 if known else 3
    if verb == "status" and unit:
        return _status(call, name, known=known)
    if verb in ("start", "stop", "restart", "reload", "enable", "disable", "mask"):
        return _changed(call, verb, name, known=known)
    call.print("  UNIT                       LOAD   ACTIVE SUB     DESCRIPTION")
    for each in sorted(units):
        call.print(f"  {each + '.service':<26} loaded active running {each}")
    return 0


def _status(call: Call, name: str, *, known: bool) -> int:
    if not known:
        call.complain(f"Unit {name}.service could not be found.")
        return 4
    booted = call.shell.persona.booted(call.shell.now())
    stamp = time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(booted + 9))
    days = int(call.shell.now() - booted) // 86400
    name = _ALIASES.get(name, name)
    call.print(
        f"● {name}.service - {name}\n     Loaded: loaded (/lib/systemd/system/{name}.service; enabled; preset: enabled)"
    )
    call.print(f"     Active: active (running) since {stamp}; {days} days ago")
    return 0


def _changed(call: Call, verb: str, name: str, *, known: bool) -> int:
    """Starting, stopping, enabling: root is told that all went well, and nothing changes."""
    if not known:
        if verb in ("start", "restart", "reload"):
            words = f"{verb} {name}.service: Unit {name}.service not found."
        elif verb == "stop":
            words = f"{verb} {name}.service: Unit {name}.service not loaded."
        else:
            words = f"{verb} unit: Unit file {name}.service does not exist."
        call.complain(f"Failed to {words}")
        return 5
    if call.shell.user.uid != 0:
        call.complain(
            f"Failed to {verb} {name}.service: Interactive authentication required.\nSee "
            f"system logs and 'systemctl status {name}.service' for details."
        )
        return 1
    return 0


async def service(call: Call) -> int:
    if len(call.args) < 2:
        call.complain("Usage: service < option > | --status-all | [ service_name [ command | --full-restart ] ]")
        return 1
    call.args = [call.args[1], call.args[0]]
    return await systemctl(call)


async def reboot(call: Call) -> int:
    if call.shell.user.uid != 0:
        call.complain(
            f"Call to {'PowerOff' if call.name != 'reboot' else 'Reboot'} failed: Interactive authentication required."
        )
        return 1
    await call.shell.sleep(1.5)
    call.shell.exit(0)
    return 0


COMMANDS: dict[str, Command] = {
    "systemctl": systemctl,
    "service": service,
    "reboot": reboot,
    "poweroff": reboot,
    "halt": reboot,
    "shutdown": reboot,
}
