"""The rows of the table, each with its target beside it."""

from __future__ import annotations

from typing import Any

BLOCK = 100


def p1(benches: list[Any]) -> None:
    for bench in benches:
        bench.statements = 0

        def raw(block: int, bench: Any = bench) -> float:
            bench.raw.reset()
            return bench.raw.transition(0, BLOCK)

        def own(block: int, bench: Any = bench) -> float:
            bench.own.reset()
            return bench.own.transition(0, BLOCK)

        def ours(block: int, bench: Any = bench) -> float:
            bench.ours("reset")
            answer = bench.ours("transition", start=0, count=BLOCK)
            bench.statements, bench.wake = answer["statements"], answer["wake"]
            return answer["seconds"]

        def stock(block: int, bench: Any = bench) -> float:
            bench.stock("reset")
            return bench.stock("transition", start=0, count=BLOCK)["seconds"]

        found = bench.interleave(raw=raw, own=own, ours=ours, stock=stock)
        bench.say("P1", "raw transaction", f"{1 / found['raw']:.0f}/s")
        bench.say("P1", "the same three statements on our indexed tables", f"{bench.ratio('own', 'raw'):.2f} x raw")
        bench.say("P1", "approve_payment against those", f"{bench.ratio('ours', 'own'):.2f} x")
        bench.say("P1", "approve_payment, service call", f"{bench.ratio('ours', 'raw'):.2f} x raw", "<= 2.5")
        bench.say("P1", "  statements in its transaction", f"{bench.statements:g}", "<= 5")
        bench.say("P1", f"  statements that wake the workers, per {BLOCK}", f"{bench.wake}", "after the commit")
        bench.say("P1", "stock: lock + EventHandler, no guard, no outbox", f"{bench.ratio('stock', 'raw'):.2f} x raw")


def p2(benches: list[Any]) -> None:
    for bench in benches:

        def raw(block: int, bench: Any = bench) -> float:
            bench.raw.reset()
            return bench.raw.bulk(200)

        def own(block: int, bench: Any = bench) -> float:
            bench.own.reset()
            return bench.own.bulk(200)

        def ours(block: int, bench: Any = bench) -> float:
            bench.ours("reset")
            return bench.ours("bulk", count=200)["seconds"]

        def stock(block: int, bench: Any = bench) -> float:
            bench.stock("reset")
            return bench.stock("bulk", count=200)["seconds"]

        found = bench.interleave(raw=raw, own=own, ours=ours, stock=stock)
        bench.say("P2", "raw, set-based, 200 orders", f"{1 / found['raw']:.0f} orders/s")
        bench.say("P2", "the same on our indexed tables", f"{bench.ratio('own', 'raw'):.2f} x raw")
        bench.say("P2", "bulk approve against those", f"{bench.ratio('ours', 'own'):.2f} x")
        bench.say("P2", "bulk approve, 200 orders", f"{bench.ratio('ours', 'raw'):.2f} x raw", "<= 3.5")
        bench.say("P2", "  against stock's bulk action", f"{bench.ratio('stock', 'ours'):.1f} x stock", ">= 12")
        for count in (1, 200, 500):
            bench.ours("reset")
            counted = bench.ours("bulk", count=count)["statements"]
            bench.say("P2", f"  statements for {count}", f"{counted}", "<= 10")


def p3(benches: list[Any]) -> None:
    for bench in benches:
        counts: dict[str, Any] = {}

        def placed(kind: str, bench: Any = bench, counts: dict[str, Any] = counts) -> float:
            answer = getattr(bench, kind)("place", times=10)
            counts[kind] = answer
            return answer["seconds"]

        found = bench.interleave(stock=lambda block: placed("stock"), ours=lambda block: placed("ours"))
        more = counts["ours"]["statements"] - counts["stock"]["statements"]
        bench.say("P3", "stock place_order, 2 lines", f"{found['stock'] * 1000:.1f} ms")
        bench.say(
            "P3", "with our row, history and mails", f"+{(bench.ratio('ours', 'stock') - 1) * 100:.0f} %", "<= 10 %"
        )
        bench.say("P3", "  statements more", f"{more}", "<= 3")


ROWS = {"P1": p1, "P2": p2, "P3": p3}
