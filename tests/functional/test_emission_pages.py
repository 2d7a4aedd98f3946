"""NF-e of our own in the dashboard: looked at, issued, rejected, mended, authorised, cancelled, printed; who may what."""

import pytest
from django.urls import reverse
from oscar.core.loading import get_model

from oscar_fulfillment.fiscal.emission.rules import TaxRules
from oscar_fulfillment.models import NfeEmission, NfeEvent, NfeVoiding, OrderFulfillment, TaxProfile
from oscar_fulfillment.services import bulk, tax_profiles
from oscar_fulfillment.test import factories
from sandbox.simulators.sefaz_rules import NO_NCM
from tests import pdf
from tests import tax_office as shop

from .steps import page_url, said, text_of

pytestmark = [pytest.mark.feature("A9", "Z5"), pytest.mark.django_db(transaction=True)]

REASON = "Cliente desistiu da compra"


@pytest.fixture
def office(settings):
    with shop.tax_office(settings) as office:
        shop.profile()
        yield office


@pytest.fixture
def boss(client):
    user = factories.staff_user("*", first_name="Bruna", last_name="Reis")
    client.force_login(user)
    return user


def issue_url(order):
    return page_url(order, "order-nfe")


def note_url(note, what="", **kwargs):
    return reverse(f"dashboard:order-emission{what}", kwargs={"pk": note.pk, **kwargs})


def form_of(response):
    form = response.context["form"]
    found = {field.html_name: field.value() or "" for field in form}
    return {**found, "key": response.context["key"], "version": response.context["version"]}


def test_a_note_is_looked_at_issued_and_printed(client, boss, office):
    order = shop.released()
    page = text_of(client.get(page_url(order)))
    assert issue_url(order) in page
    looked = client.get(issue_url(order))
    assert "R$20.00" in text_of(looked)
    assert "Av. Paulista" in text_of(looked)
    assert looked.context["is_ready"]
    response = client.post(issue_url(order), {**form_of(looked), "issue": "1"})
    assert "on its way to the tax office" in said(client, response)[0]
    shop.work()
    note = NfeEmission.objects.get()
    page = text_of(client.get(page_url(order)))
    assert "Authorised" in page
    assert "Test, without fiscal value" in page
    assert issue_url(order) not in page
    shown = text_of(client.get(note_url(note)))
    assert note.access_key[:4] in shown
    assert "Possible until" in shown
    assert ".." not in shown
    xml = client.get(note_url(note, "-xml"))
    assert xml.content == bytes(note.proc_xml)
    assert f'filename="{note.access_key}-nfe.xml"' in xml["Content-Disposition"]
    danfe = client.get(note_url(note, "-danfe"))
    assert danfe["Content-Type"] == "application/pdf"
    # The same document from the order's menu, noted in its history.
    made = client.post(page_url(order, "order-document", document="danfe"))
    assert made.status_code == 302
    assert pdf.words(client.get(made.url).content).count("DANFE")
    assert OrderFulfillment.objects.get(pk=order.pk).history.filter(action="print").exists()


def test_an_order_without_notes_and_without_anything_to_issue_has_no_card(client, boss, office):
    order = factories.paid_order()
    assert 'id="emissions"' not in client.get(page_url(order)).content.decode()
    order = shop.released()
    assert 'id="emissions"' in client.get(page_url(order)).content.decode()
    client.force_login(factories.staff_user("release_order"))
    assert 'id="emissions"' not in client.get(page_url(order)).content.decode()


def test_what_is_missing_is_listed_with_the_way_there(client, boss, office):
    tax_profiles.delete_tax_profile(actor=shop.CLERK, profile=TaxProfile.objects.get(), reason="no more")
    order = shop.released(at={"line3": "", "line4": "Sao Paolo"})
    looked = client.get(issue_url(order))
    page = text_of(looked)
    for words in ("no tax profile", "district (bairro) is missing", "“Sao Paolo” is no municipality of SP"):
        assert words in page
    assert reverse("dashboard:tax-profile-new") in page
    refused = client.post(issue_url(order), {**form_of(looked), "issue": "1"})
    assert refused.status_code == 422
    assert not NfeEmission.objects.exists()


def test_the_buyer_is_corrected_for_the_note_alone(client, boss, office):
    order = shop.released(at={"line3": "", "line4": "Sampa"})
    looked = client.get(issue_url(order))
    typed = {**form_of(looked), "district": "Bela Vista", "city": "sao paulo"}
    checked = client.post(issue_url(order), {**typed, "check": "1"})
    assert checked.context["is_ready"]
    client.post(issue_url(order), {**typed, "issue": "1"})
    shop.work()
    note = NfeEmission.objects.get()
    assert note.status == NfeEmission.AUTHORISED
    assert b"<xBairro>Bela Vista</xBairro>" in bytes(note.xml)
    assert note.content["corrections"] == {"district": "Bela Vista", "city": "sao paulo"}
    order.shipping_address.refresh_from_db()
    assert order.shipping_address.line4 == "Sampa"


def test_a_rejected_note_is_mended_from_its_page(client, boss, office):
    profile = TaxProfile.objects.get()
    rules = TaxRules(**{**shop.SIMPLES.__dict__, "ncm": NO_NCM})
    tax_profiles.save_tax_profile(actor=shop.CLERK, name="All", product_class=None, rules=rules, profile=profile)
    order = shop.released()
    note = shop.issued(order)
    page = text_of(client.get(page_url(order)))
    assert "778 Rejeição: Informado NCM inexistente" in page
    assert "Correct the tax profile" in page
    assert "mend it, and send it again" in page
    listed = text_of(client.get(reverse("dashboard:order-emissions")))
    assert "778 Rejeição" in listed
    # The accountant mends the profile ...
    url = reverse("dashboard:tax-profile", kwargs={"pk": profile.pk})
    form = client.get(url).context["form"]
    data = {field.html_name: field.value() or "" for field in form}
    saved = client.post(url, {**data, "ncm": "6911.10.10", "reason": "Der NCM war falsch"})
    assert saved.status_code == 302
    # ... and the note goes out again under its number.
    looked = client.get(note_url(note, "-mend"))
    response = client.post(note_url(note, "-mend"), {**form_of(looked), "issue": "1"})
    assert "again, under its number" in said(client, response)[0]
    shop.work()
    note.refresh_from_db()
    assert (note.status, note.number) == (NfeEmission.AUTHORISED, 1)
    assert client.get(note_url(note, "-mend")).status_code == 404
    history = text_of(client.get(url))
    assert "Der NCM war falsch" in history
    assert "99999999 → 69111010" in history


def test_a_note_is_corrected_and_cancelled_from_its_page(client, boss, office):
    note = shop.authorised(shop.released())
    short = client.post(note_url(note, "-correct"), {"text": "no"})
    assert short.status_code == 422
    assert "15 to 1000 letters" in text_of(short).replace(",", "")
    client.post(note_url(note, "-correct"), {"text": "O bairro correto e Jardim Paulista"})
    shop.work()
    event = NfeEvent.objects.get()
    xml = client.get(note_url(note, "-event", event=event.pk))
    assert xml.content == bytes(event.proc_xml)
    assert client.post(note_url(note, "-cancel"), {"text": "x"}).status_code == 422
    response = client.post(note_url(note, "-cancel"), {"text": REASON})
    assert "on its way" in said(client, response)[0]
    shop.work()
    shown = text_of(client.get(note_url(note)))
    assert "Cancelled" in shown
    danfe = pdf.words(client.get(note_url(note, "-danfe")).content)
    assert "CANCELADA" in danfe.replace("\n", "").replace(" ", "")


def test_a_note_is_given_up_and_its_number_voided_from_its_page(client, boss, office):
    note = shop.issued(shop.released())
    NfeEmission.objects.filter(pk=note.pk).update(status=NfeEmission.REJECTED)
    office.sefaz.books._db.execute("DELETE FROM document")
    client.post(note_url(note, "-give-up"), {"text": "Pedido desfeito pelo cliente"})
    shop.work()
    assert NfeVoiding.objects.get().status == NfeVoiding.TAKEN
    assert "Number 1, series 1" in text_of(client.get(reverse("dashboard:order-emissions")))


def test_the_list_shows_gaps_certificate_and_what_the_tax_office_says(client, boss, office):
    note = shop.authorised(shop.released())
    url = reverse("dashboard:order-emissions")
    raised = client.post(reverse("dashboard:order-emissions-number"), {"alias": "BRL", "number": "5"})
    assert raised.status_code == 302
    page = text_of(client.get(url))
    assert "Numbers without a note:" in page
    assert "2–4" in page
    assert "days left" in page
    wrong = client.post(
        reverse("dashboard:order-emissions-void"), {"alias": "BRL", "first": "1", "last": "4", "reason": REASON}
    )
    assert wrong.status_code == 422
    assert "Number 1 has a note" in text_of(wrong)
    client.post(
        reverse("dashboard:order-emissions-void"), {"alias": "BRL", "first": "2", "last": "4", "reason": REASON}
    )
    shop.work()
    assert "Numbers without a note:" not in text_of(client.get(url))
    found = text_of(client.get(url, {"q": note.access_key}))
    assert "NF-e 1, series 1" in found
    service = reverse("dashboard:order-emissions-service")
    assert said(client, client.post(service, {"alias": "BRL"})) == ["107 Serviço em Operação"]
    office.sefaz.service = "stopped"
    assert said(client, client.post(service, {"alias": "BRL"})) == ["109 Serviço Paralisado sem Previsão"]
    office.sefaz.mood = "down"
    assert "does not answer" in said(client, client.post(service, {"alias": "BRL"}))[0]
    assert client.post(service, {"alias": "nobody"}).status_code == 404


@pytest.mark.parametrize(
    ("said_", "words"), [({"password": "other"}, "does not open"), ({"certificate": "/nowhere"}, "cannot be read")]
)
def test_a_certificate_that_cannot_be_used_is_shown_without_its_secret(client, boss, office, said_, words):
    office.configure(**said_)
    for url in (reverse("dashboard:order-emissions"), issue_url(shop.released())):
        page = text_of(client.get(url))
        assert words in page
        assert "simulada" not in page
        assert "other&" not in page


def test_without_settings_nothing_of_it_is_shown(client, boss):
    order = shop.released()
    page = text_of(client.get(page_url(order)))
    assert 'id="emissions"' not in page
    assert client.get(issue_url(order)).status_code == 404
    assert reverse("dashboard:order-emissions") not in page


def test_each_page_asks_for_its_permission(client, office):
    order = shop.released()
    note = shop.authorised(order)
    clerk = factories.staff_user("view_orderfulfillment", "invoice_order")
    client.force_login(clerk)
    page = text_of(client.get(page_url(order)))
    assert "Authorised" in page
    assert note_url(note) not in page
    for url in (issue_url(order), note_url(note), note_url(note, "-xml"), reverse("dashboard:order-emissions"),
                reverse("dashboard:tax-profiles")):  # fmt: skip
        assert client.get(url).status_code == 403, url
    for what in ("-cancel", "-correct", "-give-up", "-again"):
        assert client.post(note_url(note, what), {"text": REASON}).status_code == 403
    client.force_login(factories.staff_user("manage_tax_profiles"))
    assert client.get(reverse("dashboard:tax-profiles")).status_code == 200
    assert client.get(reverse("dashboard:order-emissions")).status_code == 403


def test_a_form_that_is_sent_twice_issues_one_note(client, boss, office):
    order = shop.released()
    data = {**form_of(client.get(issue_url(order))), "issue": "1"}
    first, second = client.post(issue_url(order), data), client.post(issue_url(order), data)
    assert first.url == second.url
    assert NfeEmission.objects.count() == 1


def test_a_form_that_is_older_than_the_order_is_refused(client, boss, office):
    order = shop.released()
    data = {**form_of(client.get(issue_url(order))), "issue": "1"}
    OrderFulfillment.objects.filter(pk=order.pk).update(version=int(data["version"]) - 1)
    refused = client.post(issue_url(order), data)
    assert refused.status_code == 409
    assert "in the meantime" in text_of(refused)
    assert not NfeEmission.objects.exists()


def test_many_orders_are_issued_and_printed_from_the_list(client, boss, office):
    orders = [shop.released() for _order in range(3)]
    broken = shop.released(tax_id="")

    def submit(action, chosen):
        job = bulk.submit(action=action, orders=[(o.pk, o.number) for o in chosen], user=boss, key=f"many-{action}")
        job.refresh_from_db()
        return job

    job = submit("issue_nfe", [*orders, broken])
    assert (job.done_count, job.refused_count) == (3, 1)
    shop.work()
    assert NfeEmission.objects.filter(status=NfeEmission.AUTHORISED).count() == 3
    assert sorted(NfeEmission.objects.values_list("number", flat=True)) == [1, 2, 3]
    many = submit("print_danfe", orders)
    made = client.get(reverse("dashboard:order-bulk-document", kwargs={"pk": many.pk}))
    text = pdf.words(made.content)
    for note in NfeEmission.objects.all():
        assert note.access_key[:4] in text
    assert len(pdf.pages(made.content)) == 3


# Tax profiles


def profile_data(client, url, **typed):
    form = client.get(url).context["form"]
    return {**{field.html_name: "" if field.value() is None else field.value() for field in form}, **typed}


def test_a_profile_is_made_for_a_class_with_its_gaps_named(client, boss, office):
    product_class = get_model("catalogue", "ProductClass").objects.create(name="Books")
    url = reverse("dashboard:tax-profile-new")
    data = profile_data(client, f"{url}?class={product_class.pk}", name="Books", ncm="49019900")
    assert data["product_class"] == product_class.pk
    response = client.post(url, data)
    assert "Still missing" in said(client, response)[0]
    page = text_of(client.get(reverse("dashboard:tax-profiles")))
    assert "incomplete" in page
    again = client.post(url, data)
    assert again.status_code == 422
    assert "Another profile is for these articles already" in text_of(again)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"icms_rate": "abc"}, "between 0 and 100"),
        ({"pis_rate": "101"}, "between 0 and 100"),
        ({"destinations": "XX 20"}, "is not a state with its rates"),
        ({"destinations": "PE"}, "is not a state with its rates"),
        ({"name": ""}, "required"),
        ({"icms": "10"}, "valid choice"),
    ],
)
def test_a_profile_with_nonsense_is_not_saved(client, boss, office, typed, words):
    profile = TaxProfile.objects.get()
    url = reverse("dashboard:tax-profile", kwargs={"pk": profile.pk})
    refused = client.post(url, profile_data(client, url, **typed))
    assert refused.status_code == 422
    assert words in text_of(refused)
    assert profile.changes.count() == 1


def test_two_accountants_do_not_overwrite_each_other(client, boss, office):
    profile = TaxProfile.objects.get()
    url = reverse("dashboard:tax-profile", kwargs={"pk": profile.pk})
    data = profile_data(client, url, ncm="49019900", destinations="PE 20,5\nrj 20 2")
    assert client.post(url, data).status_code == 302
    stale = client.post(url, {**data, "ncm": "69111010"})
    assert stale.status_code == 409
    profile.refresh_from_db()
    assert profile.rules["ncm"] == "49019900"
    assert profile.rules["destinations"] == {"PE": ["20.5", "0"], "RJ": ["20", "2"]}
    deleted = client.post(reverse("dashboard:tax-profile-delete", kwargs={"pk": profile.pk}), {"reason": ""})
    assert "Please say why" in said(client, deleted)[0]
    client.post(reverse("dashboard:tax-profile-delete", kwargs={"pk": profile.pk}), {"reason": "merged"})
    assert "merged" in text_of(client.get(reverse("dashboard:tax-profiles")))
