"""A folder where an ERP drops its notes: taken in, applied, moved away; links and half-written files left alone."""

import io
import os
import time
import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test.utils import override_settings

from oscar_fulfillment.models import Invoice, NfeFile
from oscar_fulfillment.services import nfe_folder
from oscar_fulfillment.test import nfe

from .nfe import ERP, released
from .nfe import shipping as status_of

pytestmark = [pytest.mark.django_db, pytest.mark.feature("A10", "Z5")]


def put(folder, name, content, age=60):
    file = folder / name
    file.write_bytes(content)
    os.utime(file, (time.time() - age, time.time() - age))
    return file


def look(folder, **said):
    return {report.name: report for report in nfe_folder.work_folder(path=folder, actor=ERP, **said)}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_good_notes_are_applied_and_their_files_moved(tmp_path):
    orders = [released() for _number in range(3)]
    put(tmp_path, "one.xml", nfe.make_note(order=orders[0]))
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as inside:
        for order in orders[1:]:
            inside.writestr(f"{order.number}.xml", nfe.make_note(order=order))
    put(tmp_path, "MORE.ZIP", zipped.getvalue())
    put(tmp_path, "bad.xml", b"<html/>")
    put(tmp_path, "readme.txt", b"not ours")
    reports = look(tmp_path)
    assert [status_of(order) for order in orders] == ["invoiced"] * 3
    assert (reports["one.xml"].applied, reports["MORE.ZIP"].applied, reports["bad.xml"].applied) == (1, 2, 0)
    assert names(tmp_path) == ["done", "readme.txt", "refused"]
    assert names(tmp_path / "done") == ["MORE.ZIP", "one.xml"]
    assert names(tmp_path / "refused") == ["bad.xml", "bad.xml.txt"]
    assert "no fiscal note" in (tmp_path / "refused" / "bad.xml.txt").read_text()
    assert look(tmp_path) == {}


def test_what_needs_a_person_is_taken_in_and_waits(tmp_path):
    order = released()
    put(tmp_path, "differs.xml", nfe.make_note(order=order, total="1.00"))
    put(tmp_path, "nobodys.xml", nfe.make_note(total="55.00"))
    reports = look(tmp_path)
    assert [(r.applied, r.waiting, r.folder) for r in reports.values()] == [(0, 1, "done")] * 2
    assert status_of(order) == "released"
    assert sorted(NfeFile.objects.values_list("verdict", flat=True)) == ["choose", "differs"]


def test_nothing_is_applied_where_only_checks_are_wanted(tmp_path):
    order = released()
    put(tmp_path, "one.xml", nfe.make_note(order=order))
    assert look(tmp_path, applies=False)["one.xml"].waiting == 1
    assert status_of(order) == "released"


def test_a_crash_between_the_order_and_the_move_does_nothing_twice(tmp_path, monkeypatch):
    order = released()
    put(tmp_path, "one.xml", nfe.make_note(order=order))

    class Killed(BaseException):
        pass

    def die(*args):
        raise Killed

    monkeypatch.setattr(nfe_folder, "_move", die)
    with pytest.raises(Killed):
        look(tmp_path)
    assert (status_of(order), names(tmp_path)) == ("invoiced", ["done", "one.xml", "refused"])
    monkeypatch.undo()
    assert look(tmp_path)["one.xml"].folder == "done"
    assert (Invoice.objects.count(), names(tmp_path / "done")) == (1, ["one.xml"])


def test_files_that_are_being_written_and_links_are_left_alone(tmp_path):
    outside = tmp_path.parent / "secret.xml"
    outside.write_bytes(nfe.make_note(total="5.00"))
    put(tmp_path, "fresh.xml", b"<nfeProc", age=0)
    (tmp_path / "link.xml").symlink_to(outside)
    (tmp_path / "folder.xml").mkdir()
    assert look(tmp_path) == {}
    assert outside.exists()
    assert names(tmp_path) == ["done", "folder.xml", "fresh.xml", "link.xml", "refused"]


def test_a_name_that_is_taken_gets_a_longer_one(tmp_path):
    for total in ("5.00", "6.00"):
        put(tmp_path, "note.xml", nfe.make_note(total=total))
        look(tmp_path)
    found = names(tmp_path / "done")
    assert len(found) == 2
    assert all(name.startswith("note") and name.endswith(".xml") for name in found)


@pytest.mark.parametrize("name", ["..xml", "a b;rm -rf.xml", "é\n.xml", "-rf.xml", "n" * 240 + ".xml"])
def test_hostile_names_are_moved_within_the_folder(tmp_path, name):
    put(tmp_path, name, b"<x/>")
    look(tmp_path)
    assert names(tmp_path) == ["done", "refused"]
    assert name in names(tmp_path / "refused")


def test_a_file_that_cannot_be_read_does_not_keep_the_others_waiting(tmp_path, monkeypatch):
    put(tmp_path, "a.xml", b"x")
    real = Path.open

    def opened(path, *args, **said):
        if path.name == "a.xml":
            raise PermissionError("Permission denied")
        return real(path, *args, **said)

    monkeypatch.setattr(Path, "open", opened)
    put(tmp_path, "b.xml", nfe.make_note(total="5.00"))
    reports = look(tmp_path)
    assert "Permission" in reports["a.xml"].reasons[0]
    assert reports["b.xml"].waiting == 1


def test_the_command_looks_once(tmp_path, capsys):
    order = released()
    put(tmp_path, "one.xml", nfe.make_note(order=order))
    put(tmp_path, "bad.xml", b"%PDF-1")
    call_command("fulfillment_nfe_folder", path=str(tmp_path), once=True)
    told = capsys.readouterr()
    assert "one.xml: 1 applied, 0 for a person" in told.out
    assert "bad.xml: This is a PDF" in told.err
    assert status_of(order) == "invoiced"


def test_the_command_says_what_is_missing(tmp_path, monkeypatch):
    with pytest.raises(CommandError, match="no folder"):
        call_command("fulfillment_nfe_folder", path=str(tmp_path / "none"), once=True)
    put(tmp_path, "one.xml", b"<x/>")
    monkeypatch.setattr("oscar_fulfillment.services.nfe_imports.missing_packages", lambda: ("lxml",))
    with pytest.raises(CommandError, match="lxml is missing"):
        call_command("fulfillment_nfe_folder", path=str(tmp_path), once=True)
    assert "one.xml" in names(tmp_path)


@override_settings(OSCAR_FULFILLMENT={"NFE_MAX_FILES": 1})
def test_a_zip_that_is_too_large_is_said_to_be(tmp_path):
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as inside:
        for number in range(3):
            inside.writestr(f"{number}.xml", nfe.make_note(total="5.00"))
    put(tmp_path, "many.zip", zipped.getvalue())
    report = look(tmp_path)["many.zip"]
    assert "1 file at once" in report.reasons[-1]
    assert (report.waiting, names(tmp_path / "refused")) == (1, ["many.zip", "many.zip.txt"])
