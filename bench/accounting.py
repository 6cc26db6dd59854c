"""Connections made against sessions recorded, on each service: plain connects, and sessions with input."""

import json
import socket
import time

from bench.fleet import SERVICES, chaffinch, endpoint, fleet

EACH = 1000


def main() -> None:
    with fleet() as state:
        for service in SERVICES:
            where = endpoint(state, service)
            began = time.perf_counter()
            for _ in range(EACH):
                socket.create_connection(where, timeout=5).close()
            for _ in range(EACH):
                with socket.create_connection(where, timeout=5) as sock:
                    sock.sendall(b"HELP\r\n")
            took = time.perf_counter() - began
            time.sleep(1.5)
            rows = json.loads(chaffinch(state, "sessions", "--service", service, "--json"))
            recorded = sum(row["count"] for row in rows)
            said = "exactly" if recorded == 2 * EACH else "MISMATCH"
            print(f"{service:10} {2 * EACH} connections made in {took:.2f} s, {recorded} sessions recorded: {said}")


if __name__ == "__main__":
    main()
