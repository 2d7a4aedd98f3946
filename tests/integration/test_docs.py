"""The generated pages of the documentation are those of the code."""

import pathlib

from django.core.management import call_command

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_the_state_diagrams_are_drawn_from_the_machines(tmp_path):
    call_command("fulfillment_diagrams", "--built-in", "--output", str(tmp_path / "states.md"))
    assert (ROOT / "docs" / "states.md").read_text() == (tmp_path / "states.md").read_text(), "run `make docs`"


def test_the_changelog_has_this_version():
    from oscar_fulfillment import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
