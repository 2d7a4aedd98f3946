"""``fulfillment_setup --profile``: sets of payment methods, made once, then the merchant's."""

from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.utils import translation

from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.gateways.base import Capability
from oscar_fulfillment.models import PaymentMethod, PaymentMethodChange
from oscar_fulfillment.selectors import method_words
from oscar_fulfillment.services import method_rules, profiles
from oscar_fulfillment.services.payment_methods import delete_payment_method, save_payment_method

pytestmark = [pytest.mark.django_db, pytest.mark.feature("Z7")]

GATEWAYS = {
    "yoo": {
        "BACKEND": "oscar_fulfillment.gateways.yookassa.YooKassa",
        "OPTIONS": {"shop_id": "1", "secret_key": "s"},
    },
    "stone": {
        "BACKEND": "oscar_fulfillment.gateways.pagarme.PagarMe",
        "OPTIONS": {"secret_key": "sk_x", "webhook_credentials": ["a:b"]},
    },
    "swiss": {
        "BACKEND": "oscar_fulfillment.gateways.datatrans.DatatransGateway",
        "OPTIONS": {"merchant_id": "1100000000", "password": "p", "sign_keys": ["ab"], "currencies": ["CHF", "EUR"]},
    },
}


@pytest.fixture
def providers(settings):
    settings.OSCAR_FULFILLMENT = settings.OSCAR_FULFILLMENT | {"GATEWAYS": GATEWAYS}


def setup(*names):
    out = StringIO()
    call_command("fulfillment_setup", *[word for name in names for word in ("--profile", name)], stdout=out)
    return out.getvalue()


def outcomes(name):
    return {result.code: result.outcome for result in profiles.make_profile(name)}


def test_a_shop_without_providers_gets_what_works_by_hand():
    said = setup("br")
    assert set(PaymentMethod.objects.values_list("code", "kind")) == {
        ("pix", "manual"), ("boleto", "manual"), ("deposito", "manual"),
    }  # fmt: skip
    assert "cartao: left out: it needs a provider in GATEWAYS (mercadopago or pagarme). Run this again then." in said
    assert "deposito: made. By hand. Reminder after 3 days, cancelled after 7 days." in said
    assert "Not offered yet: fill in the gaps" in said
    assert not PaymentMethod.objects.get(code="pix").is_active
    assert PaymentMethod.objects.get(code="boleto").is_active


def test_a_shop_with_providers_gets_theirs(providers):
    assert set(outcomes("br").values()) == {"made"}
    boleto = PaymentMethod.objects.get(code="boleto")
    assert (boleto.provider, boleto.provider_method, boleto.is_active) == ("stone", "boleto", True)


@pytest.mark.feature("D5", "D6", "D14")
def test_the_swiss_set(providers):
    profiles.make_profile("ch")
    words = {method.code: method_words.policy(method) for method in PaymentMethod.objects.all()}
    assert words == {
        "prepayment": "Reminder after 7 days, cancelled after 21 days.",
        "twint": "Charged at once, 24 hours to try again after a refusal, cancelled after 2 days, "
        "completed once it was paid out.",
        "card-ch": "Charged at once, 24 hours to try again after a refusal, cancelled after 2 days, "
        "completed once it was paid out.",
        "cash-pickup": "Goods leave before the money is in, paid when handed over.",
        "invoice-ch": "Invoice mailed with the confirmation, goods leave before the money is in, due after 30 days, "
        "reminded when overdue.",
    }
    assert PaymentMethod.objects.get(code="invoice-ch").audience == "customers"


@pytest.mark.feature("E6", "E7", "E15", "E16")
def test_the_russian_set(providers):
    profiles.make_profile("ru")
    card = PaymentMethod.objects.get(code="card-ru")
    assert (card.capture, card.hold_days, card.capture_at, card.provider) == ("hold", 7, "by_hand", "yoo")
    invoice = PaymentMethod.objects.get(code="invoice-ru")
    assert (invoice.reservation_days, invoice.sends_invoice, invoice.ships_before_payment) == (3, True, False)
    deferred = PaymentMethod.objects.get(code="deferred-ru")
    assert (deferred.due_days, deferred.ships_before_payment, deferred.audience) == (14, True, "groups")
    assert list(deferred.groups.all()) == [Group.objects.get(name="Dealers")]


def test_a_provider_that_does_not_take_the_currency_is_not_used(settings):
    swiss = {"swiss": GATEWAYS["swiss"] | {"OPTIONS": GATEWAYS["swiss"]["OPTIONS"] | {"currencies": ["CHF"]}}}
    settings.OSCAR_FULFILLMENT = settings.OSCAR_FULFILLMENT | {"GATEWAYS": swiss}
    assert outcomes("es") == {"transfer": "made", "card-eu": "no_provider"}


def test_a_provider_with_wrong_settings_is_passed_by(settings):
    broken = {"yoo": {"BACKEND": "oscar_fulfillment.gateways.yookassa.YooKassa", "OPTIONS": {"colour": 1}}}
    settings.OSCAR_FULFILLMENT = settings.OSCAR_FULFILLMENT | {"GATEWAYS": broken}
    assert outcomes("ru")["card-ru"] == "no_provider"


@pytest.mark.parametrize("name", ["br", "ch", "es", "ru"])
def test_running_it_again_changes_nothing(providers, name):
    setup(name)
    before = list(PaymentMethod.objects.values())
    changes = PaymentMethodChange.objects.count()
    assert "there already, left as it is." in setup(name)
    assert list(PaymentMethod.objects.values()) == before
    assert PaymentMethodChange.objects.count() == changes == len(before)


def test_what_a_merchant_changed_or_deleted_is_left_alone(providers):
    setup("ch")
    team = Actor.system("tests")
    save_payment_method(method=PaymentMethod.objects.get(code="twint"), values={"cancel_days": 9}, actor=team)
    delete_payment_method(method=PaymentMethod.objects.get(code="cash-pickup"), actor=team)
    assert outcomes("ch") | {"x": ""} == {
        "prepayment": "kept", "twint": "kept", "card-ch": "kept", "cash-pickup": "deleted", "invoice-ch": "kept", "x": "",
    }  # fmt: skip
    assert PaymentMethod.objects.get(code="twint").cancel_days == 9
    assert "cash-pickup: was deleted in the dashboard, left out." in setup("ch")


def test_a_method_made_by_hand_is_not_turned_over_to_a_provider_later(settings):
    setup("br")
    settings.OSCAR_FULFILLMENT = settings.OSCAR_FULFILLMENT | {"GATEWAYS": GATEWAYS}
    assert outcomes("br") == {"pix": "kept", "boleto": "kept", "cartao": "made", "deposito": "kept"}
    assert PaymentMethod.objects.get(code="pix").kind == "manual"


@pytest.mark.parametrize(
    ("language", "plain", "others"),
    [("en-gb", "Prepayment (bank transfer)", {"pt", "fr", "ru"}), ("fr-ch", "Paiement anticipé (virement)", {"en", "pt", "ru"}),
     ("de", "Prepayment (bank transfer)", {"pt", "fr", "ru"})],
)  # fmt: skip
def test_the_shops_own_language_is_the_plain_text(settings, language, plain, others):
    settings.LANGUAGE_CODE = language
    profiles.make_profile("ch")
    method = PaymentMethod.objects.get(code="prepayment")
    assert method.name == plain
    assert set(method.translations) == others
    for code, name in (("fr", "Paiement anticipé (virement)"), ("pt", "Pagamento antecipado (transferência)")):
        with translation.override(code):
            assert method.label == name


@pytest.mark.parametrize("name", ["br", "ch", "es", "ru"])
def test_every_method_of_every_set_speaks_four_languages_and_contradicts_nothing(providers, name):
    for result in profiles.make_profile(name):
        method = result.method
        assert method is not None, result
        assert len({"en", *method.translations}) == 4
        texts = [method.instructions, *(words.get("instructions", "") for words in method.translations.values())]
        assert all(texts) or not any(texts), result.code
        assert method_rules.problems(method, method.groups.count()) == {}
        if method.holds:
            from oscar_fulfillment.gateways import gateways

            assert Capability.HOLD in gateways.get(method.provider).capabilities(method.provider_method)


def test_several_sets_at_once_and_unknown_ones(providers):
    setup("br", "ch")
    assert PaymentMethod.objects.filter(code__in=["pix", "twint"]).count() == 2
    with pytest.raises(CommandError):
        setup("mars")
    with pytest.raises(KeyError):
        profiles.make_profile("../settings")


def test_without_a_set_no_methods_are_made():
    setup()
    assert not PaymentMethod.objects.exists()
