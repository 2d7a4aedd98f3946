"""Many files of an upload, and zips: within limits, whatever they hold."""

import io
import struct
import tracemalloc
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oscar_fulfillment.fiscal.nfe_files import Limits, TooMuch, open_files

pytestmark = pytest.mark.feature("A10", "Z5")

LIMITS = Limits(one=100_000, total=1_000_000, files=50)
NOTE = b"<nfeProc>" + bytes(range(32, 120)) * 10 + b"</nfeProc>"


def packed(*entries, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as inside:
        for name, content in entries:
            inside.writestr(name, content)
    return file.getvalue()


def opened(*files, limits=LIMITS):
    return list(open_files([(name, io.BytesIO(content)) for name, content in files], limits))


def found(*files, limits=LIMITS):
    return [(p.name, p.content, p.finding.code if p.finding else "") for p in opened(*files, limits=limits)]


def test_files_and_what_is_in_zips_come_one_after_the_other():
    inside = packed(("one.xml", NOTE), ("folder/", b""), ("folder/two.xml", NOTE), ("__MACOSX/._one.xml", b"x"),
                    ("folder/.DS_Store", b"x"), ("Thumbs.db", b"x"))  # fmt: skip
    assert found(("a.xml", NOTE), ("b.zip", inside)) == [
        ("a.xml", NOTE, ""), ("b.zip: one.xml", NOTE, ""), ("b.zip: folder/two.xml", NOTE, ""),
    ]  # fmt: skip


def test_a_zip_is_told_by_its_contents_not_by_its_name():
    assert [p[2] for p in found(("note.xml", packed(("one.xml", NOTE))))] == [""]
    assert found(("note.zip", NOTE)) == [("note.zip", NOTE, "")]
    assert found(("empty.zip", packed())) == []


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "C:\\Windows\\x.xml",
        "..\\..\\x.xml",
        "a\0b.xml",
        "x" * 5000,
        "x\r\nSet-Cookie: a",
    ],
)
def test_a_path_in_a_zip_is_only_a_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (piece,) = opened(("b.zip", packed((name, NOTE))))
    assert piece.content == NOTE
    assert len(piece.name) <= 200
    assert piece.name.isprintable()
    assert list(tmp_path.iterdir()) == []


def test_a_file_too_large_is_named_but_not_kept():
    (big,) = opened(("big.xml", b"<a>" * 50_000))
    assert (big.content, big.size, big.finding.code) == (b"", 150_000, "too_large")
    noise = b"".join(struct.pack(">I", number * 2654435761 % 2**32) for number in range(40_000))
    (inside,) = opened(("b.zip", packed(("big.xml", noise), compression=zipfile.ZIP_STORED)))
    assert (inside.content, inside.finding.code) == (b"", "too_large")


def test_a_bomb_is_not_unpacked():
    bomb = packed(("bomb.xml", b"\0" * 90_000_000))
    tracemalloc.start()
    (piece,) = opened(("b.zip", bomb), limits=Limits(100_000_000, 200_000_000, 50))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (piece.content, piece.finding.code) == (b"", "zip_bomb")
    assert peak < 5_000_000


def test_a_bomb_that_lies_about_its_size_is_cut():
    content = bytearray(packed(("bomb.xml", b"\0" * 5_000_000)))
    for place in (content.find(b"PK\x03\x04") + 22, content.find(b"PK\x01\x02") + 24):
        content[place : place + 4] = struct.pack("<I", 1000)
    (piece,) = opened(("b.zip", bytes(content)))
    assert piece.finding is not None
    assert len(piece.content) == 0


def test_many_small_bombs_end_at_the_total():
    many = packed(*((f"{number}.xml", bytes(range(256)) * 350) for number in range(40)))
    pieces = []
    with pytest.raises(TooMuch, match="unpacked"):
        pieces.extend(open_files([("b.zip", io.BytesIO(many))], LIMITS))
    assert 1 <= sum(len(p.content) for p in pieces) <= 1_000_000 or pieces == []


def test_more_files_than_allowed_end_the_upload_after_what_was_read():
    told = []
    with pytest.raises(TooMuch, match="50 files"):
        for piece in open_files([(f"{n}.xml", io.BytesIO(NOTE)) for n in range(51)], LIMITS):
            told.append(piece.name)
    assert len(told) == 50
    with pytest.raises(TooMuch, match="50 files"):
        opened(("b.zip", packed(*((f"{n}.xml", b"x") for n in range(60)))))


def test_a_zip_of_a_million_names_is_not_read():
    names = packed(*((f"{'n' * 30}{n}", b"") for n in range(5000)))
    tracemalloc.start()
    with pytest.raises(TooMuch):
        opened(("b.zip", names))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(names)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (packed(("in.zip", packed(("one.xml", NOTE)))), "nested_zip"),
        (b"PK\x03\x04 no zip at all", "not_xml"),
        (packed(("one.xml", NOTE))[:-30], "not_xml"),
        (b"PK\x05\x06", "not_xml"),
    ],
)
def test_a_zip_that_is_none_is_told_apart(content, code):
    assert [p[2] for p in found(("b.zip", content))] == [code]


def test_a_locked_zip_asks_to_be_unpacked():
    content = bytearray(packed(("one.xml", NOTE)))
    for place in (content.find(b"PK\x03\x04") + 6, content.find(b"PK\x01\x02") + 8):
        content[place] |= 1
    assert [p[2] for p in found(("b.zip", bytes(content)))] == ["zip_locked"]


def test_a_damaged_entry_does_not_hurt_the_others():
    content = bytearray(packed(("one.xml", NOTE), ("two.xml", NOTE)))
    place = content.find(b"one.xml") + 10
    content[place : place + 4] = b"\xff\xff\xff\xff"
    assert [p[2] for p in found(("b.zip", bytes(content)))] == ["not_xml", ""]


ZIP = packed(("one.xml", NOTE), ("two.xml", NOTE * 3))


@given(st.integers(0, len(ZIP) - 1), st.binary(min_size=1, max_size=8))
@settings(max_examples=500, deadline=None)
def test_a_zip_damaged_anywhere_does_no_harm(place, noise):
    content = ZIP[:place] + noise + ZIP[place + len(noise) :]
    try:
        pieces = opened(("b.zip", content))
    except TooMuch:
        pieces = []
    assert all(piece.finding or piece.content is not None for piece in pieces)
