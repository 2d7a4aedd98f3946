"""A note by clicks: issued, rejected, mended, authorised, printed, corrected, cancelled; the tax office's own page."""

import pytest
from playwright.sync_api import expect

from oscar_fulfillment.models import NfeEmission, TaxProfile
from oscar_fulfillment.services import oscar_events
from oscar_fulfillment.test import factories
from sandbox.simulators.base import serve
from tests import pdf
from tests import tax_office as shop

from .conftest import check_page, log_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("A9", "Z5")]

NO_NCM = "99999999"


@pytest.fixture
def office(transactional_db, settings):
    oscar_events._types.clear()  # the tables are emptied between these tests
    with shop.tax_office(settings) as office, serve(office.sefaz) as page:
        office.page = page
        yield office


@pytest.fixture
def boss(page):
    user = factories.staff_user("*", first_name="Bruna", last_name="Reis")
    log_in(page, user)
    return user


def test_a_note_is_issued_rejected_mended_authorised_and_printed(page, boss, office):
    order = shop.released(lines=[(factories.product("Caneca de porcelana", price="54.00"), 2)])
    page.goto(f"/dashboard/orders/{order.number}/")
    page.locator("#emissions").get_by_role("link", name="Issue NF-e").click()
    expect(page.get_by_text("There is no tax profile")).to_be_visible()
    check_page(page, "nfe-gaps")

    # The accountant makes a profile, with a mistake in it.
    page.get_by_role("link", name="Fill in the tax profile").click()
    page.fill("#id_name", "Revenda")
    page.fill("#id_ncm", NO_NCM)
    page.fill("#id_cfop_inside", "5102")
    page.fill("#id_cfop_outside", "6108")
    page.select_option("#id_icms", "102")
    page.select_option("#id_pis", "49")
    page.select_option("#id_cofins", "49")
    check_page(page, "nfe-profile-form")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("“Revenda” is saved.")).to_be_visible()
    check_page(page, "nfe-profiles")

    page.goto(f"/dashboard/orders/{order.number}/")
    page.get_by_role("link", name="Issue NF-e").first.click()
    expect(page.get_by_text("R$108.00")).to_be_visible()
    check_page(page, "nfe-issue")
    page.get_by_role("button", name="Issue the note").click()
    expect(page.get_by_text("The note has its number")).to_be_visible()
    shop.work()
    note = NfeEmission.objects.get()
    page.reload()
    expect(page.get_by_text("778 Rejeição: Informado NCM inexistente")).to_be_visible()
    check_page(page, "nfe-rejected")
    page.goto(f"/dashboard/orders/{order.number}/")
    expect(page.locator("#emissions")).to_contain_text("Rejected")
    check_page(page, "nfe-order-rejected")

    # Mended in the profile, sent again under its number.
    page.goto(f"/dashboard/orders/fiscal/taxes/{TaxProfile.objects.get().pk}/")
    page.fill("#id_ncm", "6911.10.10")
    page.fill("#id_reason", "The NCM was wrong")
    page.get_by_role("button", name="Save").click()
    page.goto(f"/dashboard/orders/{order.number}/")
    page.get_by_role("link", name="Mend and send again").click()
    check_page(page, "nfe-mend")
    page.get_by_role("button", name="Send it again").click()
    expect(page.get_by_text("under its number")).to_be_visible()
    shop.work()
    page.reload()
    expect(page.get_by_role("status").get_by_text("Authorised")).to_be_visible()
    check_page(page, "nfe-authorised")

    # Printed, and its bar code read back.
    note.refresh_from_db()
    assert (note.number, note.status) == (1, NfeEmission.AUTHORISED)
    danfe = page.request.get(f"/dashboard/orders/fiscal/emissions/{note.pk}/danfe/").body()
    assert note.access_key in pdf.codes(danfe)
    label = page.request.get(f"/dashboard/orders/fiscal/emissions/{note.pk}/label/").body()
    assert note.access_key in pdf.codes(label)
    page.goto(f"/dashboard/orders/{order.number}/")
    expect(page.locator("[data-badge=shipping]")).to_have_text("Invoiced")
    check_page(page, "nfe-order-authorised")
    page.get_by_text("Documents", exact=True).click()
    expect(page.get_by_text("DANFE label for the parcel")).to_be_visible()

    # Corrected and cancelled.
    page.goto(f"/dashboard/orders/fiscal/emissions/{note.pk}/")
    page.get_by_text("Correct what the note says").click()
    page.get_by_label("What is right").fill("O bairro correto e Jardim Paulista")
    page.get_by_role("button", name="Send the letter").click()
    shop.work()
    page.reload()
    page.get_by_text("Cancel the note at the tax office").click()
    page.get_by_label("Why is the note cancelled?").fill("Cliente desistiu da compra")
    check_page(page, "nfe-cancel")
    page.get_by_role("button", name="Cancel the note", exact=True).click()
    shop.work()
    page.reload()
    expect(page.get_by_role("status").get_by_text("Cancelled")).to_be_visible()
    check_page(page, "nfe-cancelled")
    assert "CANCELADA" in pdf.words(page.request.get(f"/dashboard/orders/fiscal/emissions/{note.pk}/danfe/").body())


def test_the_queue_and_the_tax_offices_own_page(page, boss, office):
    shop.profile()
    for _note in range(2):
        shop.authorised(shop.released())
    # A person switches the tax office off on its own page.
    page.goto(office.page)
    page.select_option("select[name=service]", "stopped")
    page.get_by_role("button", name="From now on").click()
    expect(page.locator("select[name=service]")).to_have_value("stopped")
    shop.issued(shop.released())
    page.goto("/dashboard/orders/fiscal/emissions/?state=under_way")
    expect(page.get_by_text("109 Serviço Paralisado sem Previsão")).to_be_visible()
    check_page(page, "nfe-queue")
    page.get_by_role("button", name="Does the tax office work?").click()
    expect(page.locator("#messages")).to_contain_text("109")
    page.get_by_text("Set the next number").click()
    page.locator("#id_number-1").fill("9")
    page.get_by_role("button", name="Go on with it").click()
    expect(page.get_by_text("Numbers without a note:")).to_be_visible()
    expect(page.get_by_text("4–8")).to_be_visible()
    page.get_by_text("Void numbers", exact=True).click()
    page.get_by_label("From number").fill("4")
    page.get_by_label("To number").fill("8")
    page.get_by_label("Why", exact=True).fill("short")
    check_page(page, "nfe-void")
    page.get_by_role("button", name="Void these numbers").click()
    expect(page.get_by_text("Write 15 to 255 letters")).to_be_visible()
