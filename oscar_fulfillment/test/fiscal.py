"""Valid fiscal numbers made to order, for tests and demo data. None of them belongs to a real document."""

from __future__ import annotations

from oscar_fulfillment.fiscal.access_key import STATES
from oscar_fulfillment.fiscal.checkdigits import cnpj_check_digits, cpf_check_digits, mod11

# The issuer of the demo shop, and one with letters: the example that Receita Federal published.
DEMO_CNPJ = "11222333000181"
DEMO_CNPJ_ALPHANUMERIC = "12ABC34501DE35"


def make_cnpj(base: str) -> str:
    """A CNPJ from its first 12 characters."""
    return base + cnpj_check_digits(base)


def make_cpf(base: str) -> str:
    """A CPF from its first 9 digits."""
    return base + cpf_check_digits(base)


def make_key(
    *,
    uf: str = "SP",
    year_month: str = "2611",
    issuer: str = DEMO_CNPJ,
    model: str = "55",
    series: int | str = 1,
    number: int | str = 1,
    emission_type: str = "1",
    code: str | None = None,
    check_digit: str | int | None = None,
) -> str:
    """An access key of these parts with its right check digit (or with ``check_digit``, to make a wrong one).

    ``uf`` is "SP" or "35"; ``issuer`` a CNPJ, or a CPF (then ``series`` must be 910 to 969 for a valid key). Without
    ``code`` one is derived from the number, so that the same arguments give the same key. Nothing is validated:
    wrong parts give a wrong key.
    """
    codes = {state: number for number, state in STATES.items()}
    if code is None:
        # As the tax office wants it: not the number itself, not one digit eight times, not an ascending run.
        code = f"{(int(number) * 7919 + 20_270_315) % 100_000_000:08d}"
    body = (
        f"{codes.get(uf, uf)}{year_month}{issuer.rjust(14, '0')}{model}{int(series):03d}{int(number):09d}"
        f"{emission_type}{code}"
    )
    return f"{body}{mod11(body) if check_digit is None else check_digit}"
