"""Commands about the host's own network: they print what the persona's network would give. No packet is sent."""

import re

from chaffinch.decoys.shell.call import Call, Command, options
from chaffinch.decoys.shell.processes import processes


def _network(call: Call) -> tuple[str, str, str]:
    """Own address, router, broadcast address."""
    address = call.shell.persona.address
    prefix = address.rpartition(".")[0]
    return address, f"{prefix}.1", f"{prefix}.255"


async def ip(call: Call) -> int:
    address, router, broadcast = _network(call)
    mac = call.shell.persona.mac
    words = [arg for arg in call.args if not arg.startswith("-")]
    what = words[0] if words else ""
    if not what:
        call.complain("Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }\n       ip [ -force ] -batch filename")
        return 255
    if "route".startswith(what):
        call.print(
            f"default via {router} dev eth0 onlink \n{router.rpartition('.')[0]}.0/24 dev "
            f"eth0 proto kernel scope link src {address} "
        )
    elif "neighbour".startswith(what):
        near = call.shell.persona.derive("router mac", 3).hex(":")
        call.print(f"{router} dev eth0 lladdr 00:1b:17:{near} REACHABLE")
    elif "address".startswith(what) or "link".startswith(what):
        addresses = not "link".startswith(what)
        call.print(
            "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group "
            "default qlen 1000\n    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00"
        )
        if addresses:
            call.print(
                "    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft "
                "forever\n    inet6 ::1/128 scope host noprefixroute \n       valid_lft forever "
                "preferred_lft forever"
            )
        call.print(
            f"2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel state UP "
            f"group default qlen 1000\n    link/ether {mac} brd ff:ff:ff:ff:ff:ff"
        )
        if addresses:
            call.print(
                f"    inet {address}/24 brd {broadcast} scope global eth0\n       valid_lft "
                f"forever preferred_lft forever"
            )
    else:
        call.complain(f'Object "{what}" is unknown, try "ip help".')
        return 1
    return 0


async def ifconfig(call: Call) -> int:
    address, _, broadcast = _network(call)
    up = int(call.shell.now() - call.shell.persona.booted(call.shell.now()))
    call.print(
        f"eth0: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1500\n        inet "
        f"{address}  netmask 255.255.255.0  broadcast {broadcast}"
    )
    call.print(
        f"        ether {call.shell.persona.mac}  txqueuelen 1000  (Ethernet)\n        RX "
        f"packets {up * 3}  bytes {up * 2113} ({up * 2113 / 1048576:.1f} MiB)"
    )
    call.print(
        f"        RX errors 0  dropped 0  overruns 0  frame 0\n        TX packets "
        f"{up * 2}  bytes {up * 907} ({up * 907 / 1048576:.1f} MiB)"
    )
    call.print("        TX errors 0  dropped 0 overruns 0  carrier 0  collisions 0\n")
    call.print(
        "lo: flags=73<UP,LOOPBACK,RUNNING>  mtu 65536\n        inet 127.0.0.1  netmask "
        "255.0.0.0\n        loop  txqueuelen 1000  (Local Loopback)\n"
    )
    return 0


async def route(call: Call) -> int:
    _, router, _ = _network(call)
    call.print("Kernel IP routing table\nDestination     Gateway         Genmask         Flags Metric Ref    Use Iface")
    shown = "0.0.0.0" if "-n" in call.args else "default"  # noqa: S104  what route(8) prints
    call.print(f"{shown:<15} {router:<15} 0.0.0.0         UG    0      0        0 eth0")
    call.print(f"{router.rpartition('.')[0] + '.0':<15} 0.0.0.0         255.255.255.0   U     0      0        0 eth0")
    return 0


def _own_port(call: Call) -> int:
    return 22 if call.shell.persona.service("ssh") is not None else 23


async def netstat(call: Call) -> int:
    persona = call.shell.persona
    asked = "".join(arg for arg in call.args if arg.startswith("-"))
    if "r" in asked:
        return await route(call)
    listens = "l" in asked
    call.print(
        f"Active Internet connections "
        f"({'only servers' if listens else 'servers and established' if 'a' in asked else 'w/o servers'})"
    )
    root = "p" in asked
    call.print(
        "Proto Recv-Q Send-Q Local Address           Foreign Address         State      "
        + (" PID/Program name    " if root else "")
    )
    for service in persona.services if listens or "a" in asked else ():
        if service.transport == "tcp":
            program = _program(call, service.name) if root else ""
            call.print(
                f"tcp        0      0 {f'0.0.0.0:{service.port}':<23} {'0.0.0.0:*':<23} LISTEN      {program}".rstrip()
                + ("     " if not root else "")
            )
    if not listens:
        call.print(
            (
                f"tcp        0      0 {f'{persona.address}:{_own_port(call)}':<23} "
                f"{f'{call.shell.source}:{40000 + call.shell.pid % 20000}':<23} ESTABLISHED "
                f"{'-' if root else ''}"
            ).rstrip()
        )
    return 0


def _program(call: Call, name: str) -> str:
    if call.shell.user.uid != 0:
        return "-"
    words = {
        "ssh": "sshd",
        "http": "nginx",
        "ftp": "vsftpd",
        "smtp": "master",
        "redis": "redis-server",
        "mysql": "mariadbd",
        "telnet": "inetd",
    }
    word = words.get(name, name)
    pid = next((p.pid for p in processes(call.shell.persona, call.shell.now()) if word in p.command), 0)
    return f"{pid}/{word}" if pid else "-"


async def ss(call: Call) -> int:
    persona = call.shell.persona
    asked = "".join(arg for arg in call.args if arg.startswith("-"))
    listens, every = "l" in asked, "a" in asked
    call.print(f"State  Recv-Q Send-Q {'Local Address:Port':>20} {'Peer Address:Port':>20} Process")
    for service in persona.services if listens or every else ():
        if service.transport == "tcp":
            call.print(
                f"LISTEN 0      {128 if service.name == 'ssh' else 511:<6} "
                f"{f'0.0.0.0:{service.port}':>20} {'0.0.0.0:*':>20}"
            )
    if not listens:
        call.print(
            f"ESTAB  0      0      {f'{persona.address}:{_own_port(call)}':>20} "
            f"{f'{call.shell.source}:{40000 + call.shell.pid % 20000}':>20}"
        )
    return 0


async def ping(call: Call) -> int:
    flags, rest, _ = options(call.args, "46bnqvAaDfdOR", "ciWwsIt")
    if not rest:
        return call.fail("usage error: Destination address required")
    host = rest[-1]
    if not re.fullmatch(r"[\d.]+|localhost", host):
        await call.shell.sleep(3)
        call.complain(f"ping: {host}: Temporary failure in name resolution")
        return 2
    count = min(int(flags["c"]), 50) if flags.get("c", "").isdecimal() else 30
    address = "127.0.0.1" if host == "localhost" else host
    call.print(f"PING {host} ({address}) 56(84) bytes of data.")
    own = address in ("127.0.0.1", call.shell.persona.address)
    for number in range(1, count + 1):
        if own:
            call.print(f"64 bytes from {address}: icmp_seq={number} ttl=64 time=0.0{30 + number % 20} ms")
        await call.shell.sleep(1 if number < count or not own else 0.1)
    got = count if own else 0
    call.print(
        f"\n--- {host} ping statistics ---\n{count} packets transmitted, {got} received, "
        f"{0 if own else 100}% packet loss, time {count * 1015 - 1000}ms"
    )
    if own:
        call.print("rtt min/avg/max/mdev = 0.030/0.037/0.049/0.006 ms")
    else:
        call.print()
    return 0 if own else 1


async def arp(call: Call) -> int:
    _, router, _ = _network(call)
    near = call.shell.persona.derive("router mac", 3).hex(":")
    call.print(
        f"Address                  HWtype  HWaddress           Flags Mask            "
        f"Iface\n{router:<24} ether   00:1b:17:{near}   C                     eth0"
    )
    return 0


async def iptables(call: Call) -> int:
    if call.shell.user.uid != 0:
        call.complain(
            f"{call.name} v1.8.9 (nf_tables): Could not fetch rule set generation id: "
            f"Permission denied (you must be root)"
        )
        return 4
    for chain in ("INPUT", "FORWARD", "OUTPUT") if "-L" in call.args else ():
        call.print(
            f"{'' if chain == 'INPUT' else chr(10)}Chain {chain} (policy ACCEPT)\ntarget     "
            f"prot opt source               destination         "
        )
    return 0


COMMANDS: dict[str, Command] = {
    "ip": ip,
    "ifconfig": ifconfig,
    "route": route,
    "netstat": netstat,
    "ss": ss,
    "ping": ping,
    "arp": arp,
    "iptables": iptables,
}
