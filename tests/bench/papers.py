"""P9: packing slips with Cyrillic, bar code and QR, and the same page by WeasyPrint where that is installed."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

from oscar_fulfillment.documents import packing_slip
from oscar_fulfillment.documents.packing_slip import SlipData
from oscar_fulfillment.documents.typst_engine import HERE
from oscar_fulfillment.services.slip_documents import slips_pdf
from tests import slips as examples

from .shared import pool
from .worker import Statements


@cache
def _slips(count: int) -> list[SlipData]:
    """Slips of four lines in Russian, each with its return form: a page each."""
    form = examples.return_form("RUB", url="")
    return [examples.slip("RUB", number, returns=form) for number in range(1, count + 1)]


def slips(count: int) -> dict[str, Any]:
    """Draw so many slips, from plain data to the PDF's bytes."""
    began = time.perf_counter()
    content = packing_slip.render_slips(_slips(count))
    return {"seconds": (time.perf_counter() - began) / count, "bytes": len(content)}


def slips_of_orders(count: int) -> dict[str, Any]:
    """The same for orders of the database, reading them included."""
    with Statements() as counted:
        began = time.perf_counter()
        slips_pdf(pool(count))
        seconds = time.perf_counter() - began
    return {"seconds": seconds / count, "statements": len(counted.sql)}


def slips_by_weasyprint(count: int) -> dict[str, Any]:
    """The same words, tables and codes as HTML; no seconds where WeasyPrint is not installed."""
    try:
        from weasyprint import HTML
    except ImportError:
        return {"seconds": None}
    documents = [packing_slip._document(slip) for slip in _slips(count)]
    began = time.perf_counter()
    HTML(string=_page(documents)).write_pdf()
    return {"seconds": (time.perf_counter() - began) / count}


def _page(documents: Sequence[dict[str, Any]]) -> str:
    fonts = "".join(
        f"@font-face {{ font-family: L; font-weight: {weight}; src: url(file://{HERE}/fonts/LiberationSans-{name}.ttf) }}"
        for name, weight in (("Regular", 400), ("Bold", 700))
    )
    style = (
        f"{fonts} @page {{ size: A4; margin: 18mm 20mm }} body {{ font: 9.5pt L }} section {{ break-before: page }}"
        "table { width: 100%; border-collapse: collapse } td, th { border-bottom: 1px solid #ccc; padding: 2mm;"
        "text-align: left } svg { height: 18mm } .bars { height: 14mm; width: 45mm } .form { break-inside: avoid }"
    )
    return f"<style>{style}</style>" + "".join(map(_slip, documents))


def _slip(doc: dict[str, Any]) -> str:
    party, form = doc["delivery"], doc["returns"]
    return (
        f"<section><p>{_lines(doc['seller'])}<p><small>{_text(party['label'])}</small><br>{_lines(party)}"
        f"{_bars(doc['code']['bars'])}{doc['code']['qr']}<p>{_text(doc['code']['text'])}<h1>{_text(doc['order'])}</h1>"
        f"<p>{'; '.join(f'{_text(label)}: {_text(value)}' for label, value in doc['facts'])}"
        f"{_table(doc['headings'], [[line['bin'], line['quantity'], line['sku'], line['title']] for line in doc['lines']])}"
        f"<p><b>{_text(doc['units'])}</b><div class=form><h2>{_text(form['title'])}</h2>{_bars(form['code']['bars'])}"
        f"<p>{_text(form['instructions'])}<ol>{''.join(f'<li>{_text(line)}' for line in form['reasons']['lines'])}</ol>"
        f"<p>{_lines(form['address'])}"
        f"{_table(form['headings'], [['', '', line['quantity'], line['sku'], line['title']] for line in doc['lines']])}"
        "</div></section>"
    )


def _text(words: str) -> str:
    return html.escape(words)


def _lines(who: dict[str, Any]) -> str:
    return "<br>".join(map(_text, (who["name"], *who["address"], *who["contact"])))


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{_text(words)}" for words in headings)
    return f"<table><thead><tr>{head}</thead>{''.join('<tr>' + ''.join(f'<td>{_text(w)}' for w in row) for row in rows)}</table>"


def _bars(widths: Sequence[int]) -> str:
    x, path = 0, ""
    for place, width in enumerate(widths):
        path += f"M{x} 0h{width}v1h-{width}z" if place % 2 == 0 else ""
        x += width
    return f'<svg class=bars viewBox="0 0 {x} 1" preserveAspectRatio="none"><path d="{path}"/></svg>'
