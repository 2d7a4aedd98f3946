"""Reading PDFs back: their words, and the codes on their pages as a camera would see them."""

import io

import pypdfium2
import zxingcpp

SCALE = 4  # times 72 dpi


def pages(content):
    """The words of each page, without the places to break that long ones get."""
    with pypdfium2.PdfDocument(io.BytesIO(content)) as document:
        found = [page.get_textpage().get_text_bounded() for page in document]
    return [" ".join(words.replace("\u200b", "").replace("\u00ad", "").split()) for words in found]


def words(content):
    return " ".join(pages(content))


def codes(content, scale=SCALE):
    """What a scanner reads on the pages, in their order; ``scale`` times 72 dots an inch."""
    found = []
    with pypdfium2.PdfDocument(io.BytesIO(content)) as document:
        for page in document:
            picture = page.render(scale=scale).to_pil()
            found += [code.text for code in zxingcpp.read_barcodes(picture)]
    return found


def fonts(content):
    """The names of the fonts in the file."""
    import re

    return {name.decode() for name in re.findall(rb"/BaseFont\s*/(?:[A-Z]{6}\+)?([A-Za-z-]+)", content)}
