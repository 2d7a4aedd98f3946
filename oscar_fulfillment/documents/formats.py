"""Dates, numbers and sums as a reader of the document writes them (Babel, CLDR)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from babel import Locale, localedata
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal, get_currency_precision


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

    def number(self, value: Decimal | int) -> str:
        return format_decimal(value, locale=self.locale)

    def money(self, amount: Decimal, currency: str) -> str:
        """With the currency's sign."""
        return format_currency(amount, currency, locale=self.locale)

    def bare(self, amount: Decimal, currency: str) -> str:
        """Without it, for a column whose heading names the currency."""
        places = get_currency_precision(currency)
        pattern = f"#,##0.{'0' * places}" if places else "#,##0"
        return format_decimal(amount, pattern, self.locale)
