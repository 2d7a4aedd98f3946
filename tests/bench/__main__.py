"""``python -m tests.bench [--rows P1,P2] [--orders 10000,1000000] [--blocks 9]``

Figures of the order pipeline on PostgreSQL (fsync on), each as a ratio to the floor or to stock Oscar, measured in
interleaved blocks of one run; medians. Absolute times move with the machine and its neighbours, so read the ratios.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from contextlib import ExitStack

from . import generate, rows
from .raw import Raw, RawOnOurTables
from .worker import Worker


class Bench:
    """The two workers and the floor on one database."""

    def __init__(self, orders: int, blocks: int, stack: ExitStack):
        self.orders, self.blocks = orders, blocks
        self.database = generate.ensure(orders)
        self.raw = Raw(stack.enter_context(generate.connect(self.database)))
        self.own = RawOnOurTables(stack.enter_context(generate.connect(self.database)))
        self.ours, self.stock = Worker("ours", self.database), Worker("stock", self.database)
        stack.callback(self.ours.close)
        stack.callback(self.stock.close)
        fsync, synchronous = (
            self.raw.db.execute(f"SHOW {name}").fetchone()[0] for name in ("fsync", "synchronous_commit")
        )
        self.raw.db.commit()
        print(f"\n{orders:,} orders, PostgreSQL fsync {fsync}, synchronous_commit {synchronous}, {blocks} blocks")

    def interleave(self, **measured: Callable[[int], float]) -> dict[str, float]:
        """Median seconds of each, measured in turns so that a slow minute hits all alike. The first turn warms up."""
        found: dict[str, list[float]] = {name: [] for name in measured}
        for block in range(self.blocks + 1):
            for name, measure in measured.items():
                seconds = measure(block)
                if block:
                    found[name].append(seconds)
        self.last = found
        return {name: statistics.median(values) for name, values in found.items()}

    def ratio(self, over: str, under: str) -> float:
        """Median of the ratios of neighbouring blocks: steadier than the ratio of medians."""
        return statistics.median(a / b for a, b in zip(self.last[over], self.last[under], strict=True))

    def say(self, row: str, what: str, figure: str, target: str = "") -> None:
        print(f"{row:4} {what:58} {figure:>16}   {target}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rows", default=",".join(rows.ROWS), help="P1,P2 ...")
    parser.add_argument("--orders", default="10000", help="sizes of the databases, by commas")
    parser.add_argument("--blocks", type=int, default=9)
    given = parser.parse_args()
    wanted, sizes = given.rows.split(","), [int(size) for size in given.orders.split(",")]
    with ExitStack() as stack:
        benches = [Bench(size, given.blocks, stack) for size in sizes]
        for row in wanted:
            rows.ROWS[row](benches)
    return 0


if __name__ == "__main__":
    sys.exit(main())
