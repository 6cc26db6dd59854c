"""How the kernel behaves in the namespace, whatever the machine has set for itself: a new one begins with that."""

from pathlib import Path

ROOT = Path("/proc/sys/net")

EVERYWHERE = {
    "ipv4/ip_forward": "0",
    "ipv4/icmp_echo_ignore_all": "0",
    "ipv4/icmp_echo_ignore_broadcasts": "1",
    "ipv4/icmp_ratelimit": "0",
}
"""`icmp_ratelimit` counts a source's answers from all addresses together: with the usual one a second, a scan of UDP
ports would find one closed port a second in the whole fleet. `icmp_msgs_per_sec` still bounds them all.
"""

OF_A_DEVICE = {
    "rp_filter": "0",
    "arp_ignore": "0",
    "arp_announce": "0",
    "arp_filter": "0",
    "proxy_arp": "0",
    "accept_redirects": "0",
    "send_redirects": "0",
    "accept_source_route": "0",
    "log_martians": "0",
}
"""ip-sysctl in the kernel's documentation. ARP is answered for what the routes call local, which `arp_ignore` above 0
would narrow to the device's addresses, of which there are none; questions go out with the address that answers
(`arp_announce`).
"""


RECEIVE_BUFFER = "ipv4/tcp_rmem"
LARGEST_RECEIVE_BUFFER = 8388608
"""Bytes that a connection's may grow to, at least: the kernel offers the window scale 8 of Windows from that on
(`tcp_select_initial_window`).
"""

MARKS = {"ipv4/tcp_fwmark_accept": "1", "ipv4/fwmark_reflect": "1"}
"""A connection, and what the kernel answers by itself, have the mark of the packet that they answer."""


def keep_marks() -> None:
    """Let answers leave by the card that was asked (`steering`). Raises `OSError`."""
    for name, value in MARKS.items():
        (ROOT / name).write_text(value, encoding="ascii")


def apply() -> None:
    """Write them in the namespace of the calling process, before it has a link: links get what `default` says.

    Raises `OSError` where the kernel's settings cannot be written.
    """
    for name, value in EVERYWHERE.items():
        (ROOT / name).write_text(value, encoding="ascii")
    least, usual, most = (ROOT / RECEIVE_BUFFER).read_text(encoding="ascii").split()
    most = str(max(int(most), LARGEST_RECEIVE_BUFFER))
    (ROOT / RECEIVE_BUFFER).write_text(f"{least} {usual} {most}", encoding="ascii")
    for scope in ("all", "default"):
        for name, value in OF_A_DEVICE.items():
            (ROOT / "ipv4" / "conf" / scope / name).write_text(value, encoding="ascii")
        off = ROOT / "ipv6" / "conf" / scope / "disable_ipv6"
        if off.exists():  # a kernel may have no IPv6 at all
            off.write_text("1", encoding="ascii")
