"""Money and times of the list read exactly as Babel and Django write them."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.utils import formats, translation
from oscar.templatetags.currency_filters import currency

from oscar_fulfillment.orders_dashboard import list_formats

LANGUAGES = ["en-gb", "en", "pt", "fr", "ru", "de", "ar", "hi", "fa"]
AMOUNTS = ["0.00", "0.01", "9.99", "10.00", "122.21", "1234.50", "999999.99", "1234567.89", "-5.00", "-1234.50", "7",
           "1000", "12.3456", "1E+3", "100000000000.00", "NaN"]  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", ["BRL", "CHF", "EUR", "RUB", "JPY", "KWD", "XYZ"])
def test_money_is_what_babel_writes(language, code):
    with translation.override(language):
        for text in AMOUNTS:
            value = Decimal(text)
            assert list_formats.money(value, code) == currency(value, code), text


@pytest.mark.parametrize("value", [None, "", "12.50", 3, "x"])
def test_money_of_what_is_no_amount_is_what_oscar_writes(value):
    assert list_formats.money(value, "BRL") == currency(value, "BRL")


@pytest.mark.parametrize(
    "pattern", [None, "¤#,##0.00", "#,##0 ¤¤", "'2 x' ¤ #0.00", "% #,##0.00", {"BRL": {"format": "¤¤ #,##0.0"}}]
)
def test_the_shops_own_currency_format_is_followed(settings, pattern):
    list_formats.money(Decimal("1234.50"), "BRL")
    settings.OSCAR_CURRENCY_FORMAT = pattern
    for text in AMOUNTS:
        assert list_formats.money(Decimal(text), "BRL") == currency(Decimal(text), "BRL"), text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["SHORT_DATETIME_FORMAT", "DATETIME_FORMAT", "SHORT_DATE_FORMAT", "TIME_FORMAT"])
def test_moments_are_what_django_writes(language, name):
    days = [(2026, 1, 2), (2026, 11, 26), (2024, 2, 29), (1999, 12, 31)]
    hours = [(0, 0), (0, 5), (12, 0), (12, 30), (23, 59), (9, 7)]
    with translation.override(language):
        write = list_formats.moments(name)
        for day in days:
            for hour in hours:
                moment = datetime(*day, *hour, 41, 5, tzinfo=UTC)
                assert write(moment) == formats.date_format(moment, name)


@pytest.mark.parametrize(
    "pattern", ["Y-m-d H:i:s", r"jS \o\f F Y, P", "r", "c", "D d M y \\a\\t G:i", "H:i d/m H", "U u e O T", "", "plain"]
)
def test_any_pattern_is_written_as_django_does(settings, pattern):
    from django.utils.dateformat import format as written

    moment = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)
    assert "".join(run(None, moment) for run in list_formats._runs(pattern)) == written(moment, pattern)
