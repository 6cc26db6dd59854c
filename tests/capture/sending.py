"""Sends packets as fast as it can, through a raw socket: run by the tests, `python -m`, in a network of its own."""

import socket
import subprocess
import sys
import time

from tests.capture.machine import icmp, ipv4, tcp, udp

ETHERNET = bytes(12) + b"\x08\0"


def send(prefix: tuple[str, ...], host: str, count: int, sources: int = 1, rate: int = 0) -> tuple[int, float]:
    """Send `count` packets to closed ports of one host, from so many sources, at `rate` a second (0: as fast as may
    be); how many went out, and in how many seconds.
    """
    arguments = [host, str(count), str(sources), str(rate)]
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "tests.capture.sending", *arguments],
        capture_output=True, text=True, timeout=110, check=True,
    )  # fmt: skip
    sent, seconds = done.stdout.split()
    return int(sent), float(seconds)


def frames(host: str, sources: int) -> list[bytes]:
    """One round of what is sent: SYNs, datagrams and echoes by turns."""
    kinds = [(6, tcp(81, 2)), (17, udp(9)), (1, icmp(8))]
    return [
        ETHERNET + ipv4(f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}", host, *kinds[n % 3])
        for n in range(max(3, sources))
    ]


def main(host: str, count: str, sources: str, rate: str) -> None:
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    wire.bind(("lo", 0))
    round_of, sent, began = frames(host, int(sources)), 0, time.monotonic()
    while sent < int(count):
        try:
            wire.send(round_of[sent % len(round_of)])
        except OSError:  # no room in the device's queue: it did not go out
            continue
        sent += 1
        if int(rate) and sent % 500 == 0:
            time.sleep(max(0.0, sent / int(rate) - (time.monotonic() - began)))
    sys.stdout.write(f"{sent} {time.monotonic() - began}")


if __name__ == "__main__":
    main(*sys.argv[1:])
