"""A process that appends: `python -m tests.journal.appending DIRECTORY FIRST COUNT`.

It appends numbered events in small flushed groups, prints the last number of each group once it is durable, and never
ends when COUNT is 0.
"""

import itertools
import sys
from pathlib import Path

from chaffinch.journal.sqlite import SqliteJournal
from tests.journal.events_of import SMALL, event

GROUP = 20


def main() -> None:
    first, count = int(sys.argv[2]), int(sys.argv[3])
    journal = SqliteJournal(Path(sys.argv[1]), SMALL)
    for start in itertools.count(first, GROUP):
        if count and start >= first + count:
            break
        journal.publish_many([event(n, width=100) for n in range(start, start + GROUP)])
        journal.flush_sync(30)
        sys.stdout.write(f"{start + GROUP - 1}\n")
        sys.stdout.flush()
    journal.close()


if __name__ == "__main__":
    main()
