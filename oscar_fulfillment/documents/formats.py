"""Dates, numbers and sums as a reader of the document writes them (Babel, CLDR)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from babel import Locale, localedata
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal, get_currency_precision
from babel.units import format_unit


@dataclass(frozen=True)
class Formats:
    """How ``language`` ("pt", "en-gb") is written in ``country`` ("CH"): fr and CH give the locale fr_CH."""

    language: str
    country: str = ""

    @property
    def locale(self) -> Locale:
        """The nearest that there is; English for what nobody knows."""
        language, _sep, region = self.language.replace("-", "_").partition("_")
        language = language.lower()
        for code in (f"{language}_{(region or self.country).upper()}", language):
            if localedata.exists(code):
                return Locale.parse(code)
        return Locale("en")

    def date(self, day: date) -> str:
        """With the month's name, as in a heading."""
        return format_date(day, "long", self.locale)

    def moment(self, moment: datetime) -> str:
        """Day and time, short; the caller has chosen the time zone."""
        return format_datetime(moment.replace(tzinfo=None), "short", locale=self.locale)

    def number(self, value: Decimal | int) -> str:
        return format_decimal(value, locale=self.locale)

    def kilograms(self, grams: int) -> str:
        """A weight, to the gram."""
        return format_unit(Decimal(grams) / 1000, "mass-kilogram", "short", "#,##0.###", self.locale)

    def country_name(self, code: str) -> str:
        """A country's name; its code where it has none."""
        return self.locale.territories.get(code.upper(), code)

    def money(self, amount: Decimal, currency: str) -> str:
        """With the currency's sign."""
        return format_currency(amount, currency, locale=self.locale)

    def bare(self, amount: Decimal, currency: str) -> str:
        """Without it, for a column whose heading names the currency."""
        places = get_currency_precision(currency)
        pattern = f"#,##0.{'0' * places}" if places else "#,##0"
        return format_decimal(amount, pattern, self.locale)
