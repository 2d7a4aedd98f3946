"""The pages of the documentation that are made from the code are those of the code."""

import pathlib

import pytest

from sandbox.docs import PAGES

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_fresh(name):
    assert (ROOT / "docs" / name).read_text() == PAGES[name](), "run `make docs`"


def test_the_changelog_has_this_version():
    from oscar_fulfillment import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_signal_is_documented():
    from django.dispatch import Signal

    from oscar_fulfillment import signals

    page = (ROOT / "docs" / "signals.md").read_text()
    names = [name for name, value in vars(signals).items() if isinstance(value, Signal)]
    assert names
    assert [name for name in names if f"## `{name}`" not in page] == []


def test_links_between_pages_lead_somewhere():
    import re

    broken = []
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert not broken
