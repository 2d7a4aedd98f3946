"""The setting API, looked at when Django starts; and the tariff and shapes of the API without a database."""

import pytest

from oscar_fulfillment.api.shapes import check, read_moment, record, text, whole
from oscar_fulfillment.api_checks import check_api

pytestmark = pytest.mark.feature("A10")


@pytest.mark.parametrize(
    ("declared", "ids"),
    [
        ({}, []), ({"rate": 10, "key_hours": 0.5}, []), ({"rat": 10}, ["E070"]), ({"rate": 0}, ["E071"]),
        ({"rate": "10"}, ["E071"]), ({"burst": True}, ["E071"]), ({"page": 1.5}, ["E071"]), ({"keep_hours": 0}, ["E071"]),
    ],
)  # fmt: skip
def test_the_setting_is_checked(settings, declared, ids):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "API": declared}
    assert [found.id.rpartition(".")[2] for found in check_api()] == ids


def test_the_shape_of_an_object():
    schema = record({"a": whole(1, 5), "b": text(3)}, "a")
    assert check(schema, {"a": 5, "b": "xyz"}) == []
    assert check(schema, {"a": 5.0}) == []
    assert [where for where, _message in check(schema, {"a": 6, "b": "wxyz", "c/~": 1})] == ["/a", "/b", "/c~1~0"]
    assert [where for where, _message in check(schema, [])] == [""]


def test_only_so_many_errors_are_listed():
    schema = record({}, *[str(number) for number in range(500)])
    assert len(check(schema, {})) == 50


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-11-20T10:00:00-03:00", "2026-11-20T13:00:00+00:00"), ("2026-11-20", "2026-11-20T00:00:00+00:00"),
        ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00+00:00"), ("yesterday", None), ("", None),
        ("0001-01-01T00:00:00+23:00", None), ("2026-13-01", None),
    ],
)  # fmt: skip
def test_times(written, utc):
    found = read_moment(written)
    assert (found.isoformat() if found else None) == utc


def test_the_page_of_the_docs_names_every_call_scope_and_limit():
    import pathlib

    from oscar_fulfillment.api.operations import operations
    from oscar_fulfillment.services.api_keys import SCOPES

    page = (pathlib.Path(__file__).parents[2] / "docs" / "connectors" / "api.md").read_text()
    missing = [call.name for call in operations() if f"`{call.method} {call.path}" not in page]
    assert missing == []
    assert [scope for scope in SCOPES if f"`{scope}`" not in page] == []
