"""Payment parts: vectors of the standards, refused input, and codes that decode to what they were made of."""

import io
from decimal import Decimal

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from oscar_fulfillment.documents.parties import Party
from oscar_fulfillment.documents.payment_parts import pix, references, russian_qr, swiss_qr
from oscar_fulfillment.documents.payment_parts.latin import ascii_only, romanised
from oscar_fulfillment.documents.qr import MASK, qr_code, qr_svg
from oscar_fulfillment.documents.renderer import DocumentError
from tests.invoices import IBAN, QR_IBAN

SELLER = Party("Robert Schneider AG", "Rue du Lac", "1268", "2501", "Biel", "CH")
BUYER = Party("Pia-Maria Rutschmann-Schnyder", "Grosse Marktgasse", "28", "9400", "Rorschach", "CH")
ACCOUNT = {
    "name": "ООО «Три кита»", "inn": "7707083893", "kpp": "770701001", "account": "40702810138250123017",
    "bank_name": 'ОАО "БАНК"', "bic": "044525225", "corr_account": "30101810400000000225",
}  # fmt: skip
KEY = "123e4567-e12b-12d1-a456-426655440000"


def decoded(payload, mask=None):
    """What a scanner reads from the code of this text."""
    picture = io.BytesIO()
    qr_code(payload, mask=mask).save(picture, kind="png", scale=4, border=4)
    (found,) = zxingcpp.read_barcodes(Image.open(picture))
    return found.text


# Switzerland


def bill(**changed):
    fields = {"account": QR_IBAN, "creditor": SELLER, "amount": Decimal("1949.75"), "debtor": BUYER,
              "reference": "210000000003139471430009017", "message": "Order 7", "language": "de"}  # fmt: skip
    return swiss_qr.swiss_bill(**fields | changed)


@pytest.mark.parametrize(
    ("digits", "reference"),
    [
        ("21000000000313947143000901", "210000000003139471430009017"),
        ("1", "000000000000000000000000011"),
        ("100012", "000000000000000000001000122"),
    ],
)
def test_qr_references_end_in_their_check_digit(digits, reference):
    assert references.qr_reference(digits) == reference


def test_creditor_references_begin_with_theirs():
    """The example of ISO 11649."""
    assert references.creditor_reference("539007547034") == "RF18539007547034"


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=21))
def test_every_creditor_reference_is_valid(number):
    from stdnum import iso11649

    assert iso11649.is_valid(references.creditor_reference(number))


@given(st.integers(1, 10**26 - 1))
def test_every_qr_reference_is_valid(number):
    from stdnum.ch import esr

    assert esr.is_valid(references.qr_reference(str(number)))


@pytest.mark.parametrize("wrong", ["", "0", "000", "A1", "1" * 27, "-1", "1 2", "١"])
def test_wrong_numbers_get_no_qr_reference(wrong):
    with pytest.raises(DocumentError):
        references.qr_reference(wrong)


@pytest.mark.parametrize("wrong", ["", "a", "A-1", "1" * 22, "Ä"])
def test_wrong_numbers_get_no_creditor_reference(wrong):
    with pytest.raises(DocumentError):
        references.creditor_reference(wrong)


@pytest.mark.parametrize(
    ("number", "numeric", "alphanumeric"),
    [
        ("100012", "100012", "100012"),
        ("0012", f"9{7:025d}", "07"),
        ("T000123", f"9{7:025d}", "T000123"),
        ("t000123", f"9{7:025d}", "07"),
        ("2026-5", f"9{7:025d}", "07"),
        ("1" * 21, f"9{7:025d}", "07"),
        ("|#", f"9{7:025d}", "07"),
    ],
)
def test_a_number_that_cannot_travel_is_stood_for_by_the_serial(number, numeric, alphanumeric):
    assert references.numeric(number, 7) == numeric
    assert references.alphanumeric(number, 7) == alphanumeric


def test_the_content_of_the_swiss_code():
    assert bill().payload.split("\r\n") == [
        "SPC", "0200", "1", "CH4431999123000889012",
        "S", "Robert Schneider AG", "Rue du Lac", "1268", "2501", "Biel", "CH",
        *[""] * 7,
        "1949.75", "CHF",
        "S", "Pia-Maria Rutschmann-Schnyder", "Grosse Marktgasse", "28", "9400", "Rorschach", "CH",
        "QRR", "210000000003139471430009017", "Order 7", "EPD",
    ]  # fmt: skip


def test_what_is_printed_beside_the_swiss_code():
    made = bill(amount=Decimal("1000000.50"), currency="EUR")
    assert made.account == "CH44 3199 9123 0008 8901 2"
    assert made.reference == "21 00000 00003 13947 14300 09017"
    assert made.amount == "1 000 000.50"
    assert made.creditor == ("Robert Schneider AG", "Rue du Lac 1268", "2501 Biel")
    assert made.part()["labels"]["part"] == "Zahlteil"


def test_an_iban_takes_a_creditor_reference():
    made = bill(account=IBAN, reference=swiss_qr.reference_for(IBAN, "T7", 7))
    assert "\r\nSCOR\r\n" in made.payload
    assert made.reference.replace(" ", "") == references.creditor_reference("T7")
    assert bill(account=IBAN, reference="").payload.split("\r\n")[-4:] == ["NON", "", "Order 7", "EPD"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"account": "CH44 3199 9123 0008 8901 3"}, "IBAN"),
        ({"account": "FR14 2004 1010 0505 0001 3M02 606"}, "IBAN"),
        ({"account": ""}, "IBAN"),
        ({"amount": Decimal(0)}, "0.01"),
        ({"amount": Decimal("-5")}, "0.01"),
        ({"amount": Decimal("1.005")}, "0.01"),
        ({"amount": Decimal("1000000000")}, "0.01"),
        ({"currency": "USD"}, "CHF"),
        ({"reference": ""}, "QR-IBAN requires"),
        ({"reference": "210000000003139471430009018"}, "reference number is invalid"),
        ({"reference": "RF18539007547034"}, "QR-IBAN requires"),
        ({"account": IBAN}, "only allowed for a QR-IBAN"),
        ({"creditor": Party("北京", "Rue", "1", "2501", "Biel", "CH")}, "Latin"),
        ({"creditor": Party("Firma", "Rue", "1", "", "Biel", "CH")}, "postcode"),
    ],
)
def test_what_no_swiss_bank_takes_is_refused(changed, message):
    with pytest.raises(DocumentError, match=message):
        bill(**changed)


@pytest.mark.parametrize(
    "buyer",
    [
        Party("北京", "Rue", "1", "2501", "Biel", "CH"),
        Party("Ana", "Rue", "1", "", "Biel", "CH"),
        Party("Ana", "Rue", "1", "2501", "", "CH"),
        Party("Ana", "Rue", "1", "2501", "Biel", "Schweiz"),
        Party("", "Rue", "1", "2501", "Biel", "CH"),
    ],
)
def test_a_buyer_who_cannot_be_written_is_left_blank(buyer):
    made = bill(debtor=buyer)
    assert made.debtor == ()
    assert made.payload.split("\r\n")[20:27] == [""] * 7


def test_names_are_written_in_latin_letters():
    made = bill(debtor=Party("Пётр Щукин «Ёж»", "ул. Ленина — 5", "", "9400", "Rorschach", "CH"), message="Заказ № 7")
    assert made.debtor == ("Petr Shchukin «Ezh»", "ul. Lenina - 5", "9400 Rorschach")
    assert made.message == "Zakaz No 7"


def test_long_buyers_are_cut_to_the_form():
    made = bill(debtor=Party("N" * 100, "S" * 100, "H" * 30, "P" * 30, "C" * 50, "DE"), message="m" * 200)
    assert made.debtor == ("N" * 70, f"{'S' * 70} {'H' * 16}", f"DE-{'P' * 16} {'C' * 35}")
    assert made.message == "m" * 140


@pytest.mark.parametrize(
    ("asked", "spoken"), [("fr", "Récépissé"), ("it", "Ricevuta"), ("pt", "Receipt"), ("", "Receipt")]
)
def test_the_form_speaks_four_languages(asked, spoken):
    assert bill(language=asked).part()["labels"]["receipt"] == spoken


@settings(deadline=None, max_examples=25)
@given(st.text(max_size=90), st.text(max_size=90), st.text(max_size=20), st.decimals("0.01", "999999999.99", places=2))
def test_any_buyer_gives_a_code_that_scans_back(name, street, city, amount):
    made = bill(debtor=Party(name, street, "", "9400", city, "CH"), amount=amount, message=name)
    assert decoded(made.payload) == made.payload
    assert len(made.payload.split("\r\n")) == 31


# Russia


@pytest.mark.parametrize(
    ("account", "bic"),
    [
        ("40602810700000000025", "049805746"),  # the Bank of Russia's own example (No. 515 of 1997)
        ("40702810138250123017", "044525225"),  # the standard's
    ],
)
def test_accounts_are_keyed_by_the_bank(account, bic):
    assert russian_qr.is_account(account, bic)
    for key in set("0123456789") - {account[8]}:
        assert not russian_qr.is_account(f"{account[:8]}{key}{account[9:]}", bic)
    assert not russian_qr.is_account(account, "044525974")


def test_accounts_with_a_settlement_centre_are_keyed_by_the_centre():
    """40102810K00000010001 at 040305000: the Bank of Russia's example gives K = 1."""
    assert [key for key in "0123456789" if russian_qr.is_account(f"40102810{key}00000010001", "040305000")] == ["1"]


@pytest.mark.parametrize(
    ("account", "bic"), [("30101810800000000746", "049805000"), ("30101810400000000225", "044525225")]
)
def test_correspondent_accounts_are_keyed_by_the_region(account, bic):
    assert russian_qr.is_corr_account(account, bic)
    assert not russian_qr.is_corr_account(account.replace("0746", "0747").replace("0225", "0226"), bic)


@given(st.text("0123456789", min_size=20, max_size=20), st.text("0123456789", min_size=9, max_size=9))
def test_one_key_in_ten_fits(account, bic):
    fitting = [k for k in "0123456789" if russian_qr.is_account(f"{account[:8]}{k}{account[9:]}", bic)]
    assert len(fitting) == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"inn": "7707083894"}, "INN"),
        ({"inn": ""}, "INN"),
        ({"inn": "77-07083893"}, "INN"),
        ({"bic": "04452522"}, "BIC"),
        ({"account": "40702810138250123018"}, "account does not go"),
        ({"account": "4070281013825012301"}, "account does not go"),
        ({"corr_account": "30101810400000000226"}, "correspondent"),
        ({"corr_account": ""}, "correspondent"),
        ({"kpp": "1"}, "KPP"),
        ({"name": "ООО | Три"}, "Name"),
        ({"name": "x" * 161}, "Name"),
        ({"bank_name": ""}, "BankName"),
        ({"bank_name": "БАНК\n"}, "BankName"),
    ],
)
def test_accounts_that_cannot_be_right_are_refused(changed, message):
    with pytest.raises(DocumentError, match=message):
        russian_qr.RussianAccount(**ACCOUNT | changed)


def test_the_content_of_the_russian_code():
    made = russian_qr.st00012(russian_qr.RussianAccount(**ACCOUNT), amount=Decimal("1000.5"), purpose="Оплата № 7")
    assert made == (
        'ST00012|Name=ООО «Три кита»|PersonalAcc=40702810138250123017|BankName=ОАО "БАНК"|BIC=044525225'
        "|CorrespAcc=30101810400000000225|PayeeINN=7707083893|KPP=770701001|Sum=100050|Purpose=Оплата № 7"
    )
    assert decoded(made) == made


def test_a_person_in_business_has_no_kpp():
    account = russian_qr.RussianAccount(**ACCOUNT | {"inn": "500100732259", "kpp": ""})
    assert "KPP" not in russian_qr.st00012(account, amount=Decimal(1), purpose="x")


@pytest.mark.parametrize("amount", ["0", "-1", "0.001"])
def test_sums_that_are_none_are_refused(amount):
    with pytest.raises(DocumentError, match="kopecks"):
        russian_qr.st00012(russian_qr.RussianAccount(**ACCOUNT), amount=Decimal(amount), purpose="x")


@pytest.mark.parametrize("purpose", ["a|b", "a\nb", "x" * 211, "a\x00"])
def test_purposes_that_break_the_code_are_refused(purpose):
    with pytest.raises(DocumentError, match="Purpose"):
        russian_qr.st00012(russian_qr.RussianAccount(**ACCOUNT), amount=Decimal(1), purpose=purpose)


# Brazil


def test_the_central_banks_example():
    expected = (
        "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-4266554400005204000053039865802BR5913Fulano de Tal"
        "6008BRASILIA62070503***63041D3D"
    )
    assert pix.br_code(key=KEY, name="Fulano de Tal", city="BRASILIA") == expected


def test_the_check_value_of_the_crc():
    assert pix.crc16("123456789") == 0x29B1


@pytest.mark.parametrize(
    "key",
    ["52998224725", "11222333000181", "12ABC34501DE35", "loja@example.com", "+5511912345678", "+551155550123", KEY],
)
def test_every_kind_of_key(key):
    code = pix.br_code(key=key, name="Loja", city="Recife", amount=Decimal("10"), txid="T1", description="Pedido é")
    assert f"01{len(key):02d}{key}02" in code
    assert "540510.00" in code
    assert decoded(code) == code


@pytest.mark.parametrize(
    "key",
    ["", "52998224726", "11222333000182", "529.982.247-25", "Loja@example.com", "loja@", "11912345678", "+1555", "x" * 80,
     KEY.upper(), "lojá@example.com", "a b@example.com", f"{'x' * 70}@example.com"],
)  # fmt: skip
def test_keys_that_are_none(key):
    with pytest.raises(DocumentError):
        pix.check_key(key)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": ""}, "name and the city"),
        ({"name": "北京"}, "name and the city"),
        ({"city": " "}, "name and the city"),
        ({"txid": ""}, "txid"),
        ({"txid": "T-1"}, "txid"),
        ({"txid": "T" * 26}, "txid"),
        ({"amount": Decimal(0)}, "0.01"),
        ({"amount": Decimal("0.001")}, "0.01"),
        ({"amount": Decimal("10000000000")}, "0.01"),
        ({"description": "x" * 60}, "too long together"),
        ({"description": "x" * 200}, "1 to 99"),
    ],
)
def test_what_no_pix_carries_is_refused(changed, message):
    with pytest.raises(DocumentError, match=message):
        pix.br_code(**{"key": KEY, "name": "Loja", "city": "Recife"} | changed)


def test_names_lose_accents_and_are_cut():
    code = pix.br_code(key=KEY, name="Ponto & Vírgula Comércio de Utilidades", city="São José dos Campos")
    assert "5925Ponto & Virgula Comercio " not in code
    assert "5924Ponto & Virgula Comercio60" in code
    assert "6015Sao Jose dos Ca" in code


@settings(deadline=None, max_examples=25)
@given(st.text(min_size=1, max_size=40), st.decimals("0.01", "99999999.99", places=2))
def test_any_name_gives_a_pix_that_scans_back_or_a_refusal(name, amount):
    try:
        code = pix.br_code(key=KEY, name=name, city="Recife", amount=amount)
    except DocumentError:
        assert not ascii_only(name)
        return
    assert decoded(code) == code
    assert f"{pix.crc16(code[:-4]):04X}" == code[-4:]


# Letters and squares


@pytest.mark.parametrize(
    ("text", "latin"),
    [
        ("Щербаков", "Shcherbakov"),
        ("Съезд", "Sieezd"),
        ("Łódź", "Łódź"),
        ("a\n b", "a b"),
        ("Київ", "Kiiv"),
        ("’“”—", '\'""-'),
    ],
)
def test_cyrillic_in_latin_letters(text, latin):
    assert romanised(text) == latin


@pytest.mark.parametrize(
    ("text", "plain"), [("São Paulo", "Sao Paulo"), ("Straße", "Strasse"), ("Łódź", "Lodz"), ("北", "")]
)
def test_plain_letters(text, plain):
    assert ascii_only(text) == plain


def test_a_code_that_would_be_too_large_is_refused():
    with pytest.raises(DocumentError, match="too much"):
        qr_svg("x" * 5000)
    with pytest.raises(DocumentError, match="too much"):
        qr_svg("x" * 1200, max_version=25)


@settings(max_examples=50, deadline=None)
@given(st.from_regex(r"9[1-4][0-9]{14}|https://[a-z.]{4,30}/[A-Za-z0-9:_/-]{1,90}", fullmatch=True))
def test_codes_drawn_by_the_hundred_read_back_too(payload):
    assert decoded(payload, MASK) == payload
