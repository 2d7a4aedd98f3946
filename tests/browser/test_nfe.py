"""Fiscal notes, as a merchant works with them: fifty mixed files dropped, verdicts, applied."""

import base64
import io
import zipfile

import pytest
from playwright.sync_api import expect

from oscar_fulfillment.models import NfeFile
from oscar_fulfillment.test import factories, nfe
from oscar_fulfillment.test.fiscal import make_cnpj, make_cpf
from tests.integration.nfe import apply, released, take
from tests.integration.nfe import shipping as status_of

from .conftest import check_page, log_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("A9", "A10", "Z5")]

NOTES = "/dashboard/orders/fiscal/notes/"
WIDTHS = (1280, 390)
DROP = """files => {
    const data = new DataTransfer();
    for (const [name, text] of files) {
        const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        data.items.add(new File([bytes], name));
    }
    document.querySelector("[data-ff-drop]").dispatchEvent(
        new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


@pytest.fixture
def rita(page):
    log_in(page, factories.staff_user("*", first_name="Rita", last_name="Lima"))
    return page


def drop(page, files):
    page.evaluate(DROP, [[name, base64.b64encode(content).decode()] for name, content in files])


def mixed(orders):
    """Fifty files: 40 good notes, and ten of what else lies in such a folder."""
    files = [(f"{number:02d}-nfe.xml", nfe.make_note(order=order)) for number, order in enumerate(orders)]
    other = released()
    files += [
        ("danfe.pdf", b"%PDF-1.7"),
        ("total.xml", nfe.make_note(order=other, total="18.00")),
        ("sem-protocolo.xml", nfe.sign(nfe.build_nfe(total="5.00")).encode()),
        ("homologacao.xml", nfe.make_note(total="5.00", environment="2")),
        ("de-outro.xml", nfe.make_note(total="5.00", issuer=make_cnpj("998887770001"))),
        ("alterada.xml", nfe.make_note(order=released()).replace(b"Ana Souza", b"Ana Sousa")),
        ("sem-pedido.xml", nfe.make_note(total="55.00", buyer=make_cpf("987654321"))),
        ("bomba.xml", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>"),
        ("copia.xml", files[0][1]),
        ("acesso.html", b"<html><body>Acesso negado</body></html>"),
    ]
    return files


def test_fifty_mixed_files_are_dropped_judged_and_applied(rita, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "ISSUER_TAX_IDS": [nfe.DEMO_CNPJ]}
    orders = [released() for _number in range(40)]
    rita.goto(NOTES)
    expect(rita.get_by_text("or drop them here")).to_be_visible()
    check_page(rita, "nfe-empty", WIDTHS)
    files = mixed(orders)
    assert len(files) == 50
    drop(rita, files)
    rita.wait_for_url("**/fiscal/notes/batch/*/")
    result = rita.locator(".ff-result")
    for words in ("Good: 40", "Look at it: 1", "Which order?: 1", "Differs: 1", "6 files cannot be used."):
        expect(result.get_by_text(words)).to_be_visible()
    check_page(rita, "nfe-verdicts", WIDTHS)
    assert NfeFile.objects.count() == 49  # the copy is the same file

    rita.get_by_role("link", name="Refused 6").click()
    for words in ("This is a PDF", "has no protocol of the tax office", "no fiscal value", "which is not this shop",
                  "declares a document type or entities", "This XML is no fiscal note"):  # fmt: skip
        expect(rita.get_by_text(words).first).to_be_visible()
    check_page(rita, "nfe-refused", WIDTHS)

    rita.get_by_role("link", name="All of them 49").click()
    rita.get_by_role("button", name="Apply all 40 good ones").click()
    expect(rita.get_by_text("40 files are filed.")).to_be_visible()
    check_page(rita, "nfe-applied", WIDTHS)
    assert {status_of(order) for order in orders} == {"invoiced"}

    rita.get_by_role("link", name=orders[0].number).first.click()
    expect(rita.get_by_role("heading", name="Fiscal documents")).to_be_visible()
    with rita.expect_download() as told:
        rita.get_by_role("link", name="Download the XML").click()
    assert told.value.path().read_bytes() == files[0][1]
    check_page(rita, "nfe-order-page", WIDTHS)


def test_a_note_is_looked_at_its_order_chosen_and_applied_with_a_reason(rita):
    order = released(number="900100")
    released(number="900200")
    rita.goto(NOTES)
    rita.get_by_label("XML files or zips").set_input_files(
        [{"name": "nota.xml", "mimeType": "text/xml", "buffer": nfe.make_note(order=order, order_number="")}]
    )
    rita.get_by_role("button", name="Check these files").click()
    expect(rita.get_by_text("More than one order may be meant: 900100, 900200.")).to_be_visible()
    rita.get_by_role("link", name="Choose the order").click()
    check_page(rita, "nfe-choose", WIDTHS)
    rita.get_by_role("button", name="Choose order 900100").click()
    expect(rita.get_by_text("chosen by hand")).to_be_visible()
    expect(rita.get_by_text("Shipment 1: 2 × Mug")).to_be_visible()
    check_page(rita, "nfe-chosen", WIDTHS)
    rita.get_by_role("button", name="Apply").click()
    expect(rita.get_by_text("is filed with order 900100.")).to_be_visible()
    check_page(rita, "nfe-filed", WIDTHS)

    (file,) = take(nfe.make_note(order=released(number="900300"), total="18.00"))
    rita.goto(f"{NOTES}{file.pk}/")
    check_page(rita, "nfe-differs", WIDTHS)
    rita.get_by_label("Why is the note right though it differs?").fill("PIX discount")
    rita.get_by_role("button", name="Apply").click()
    expect(rita.get_by_text("is filed with order 900300.")).to_be_visible()


def test_a_zip_and_a_cancellation_in_a_browser_without_scripts(browser, live_server):
    order = released()
    (file,) = take(nfe.make_note(order=order))
    apply(file)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as inside:
        inside.writestr("canc.xml", nfe.make_cancellation(file.access_key))
        inside.writestr("nota.xml", nfe.make_note(order=released()))
    context = browser.new_context(
        base_url=live_server.url, java_script_enabled=False, viewport={"width": 390, "height": 800}
    )
    page = context.new_page()
    log_in(page, factories.staff_user("*"))
    page.goto(NOTES)
    page.get_by_label("XML files or zips").set_input_files(
        [{"name": "lote.zip", "mimeType": "application/zip", "buffer": packed.getvalue()}]
    )
    page.get_by_role("button", name="Check these files").click()
    expect(page.get_by_text("Good: 2")).to_be_visible()
    page.get_by_role("checkbox", name="Choose Cancellation of NF-e").check()
    page.get_by_role("button", name="Apply selected").click()
    expect(page.get_by_text("1 file is filed.")).to_be_visible()
    assert status_of(order) == "released"
    context.close()


def test_what_the_server_refuses_is_said_and_the_rest_arrives(rita, settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "NFE_MAX_UPLOAD": 400_000}
    rita.goto(NOTES)
    drop(rita, [("big.xml", b"x" * 5_000_000), ("nota.xml", nfe.make_note(total="5.00"))])
    alert = rita.get_by_role("alert").filter(has_text="At most 0.4 MB at once.")
    expect(alert).to_be_visible()
    check_page(rita, "nfe-refused-upload", WIDTHS)
    alert.get_by_role("link").click()
    expect(rita.get_by_text("Which order?: 1")).to_be_visible()


def test_a_lost_connection_is_said_and_the_files_can_be_dropped_again(rita):
    rita.goto(NOTES)
    rita.context.set_offline(True)
    drop(rita, [("nota.xml", nfe.make_note(total="5.00"))])
    expect(rita.get_by_text("The connection was lost.")).to_be_visible(timeout=20_000)
    rita.context.set_offline(False)
    rita.get_by_role("button", name="Check these files").click()
    expect(rita.get_by_text("Which order?: 1")).to_be_visible()
