"""The mails about returns: to whom, in which language, with what; and the one return that a text means."""

import pytest
from django.core import mail
from oscar.core.loading import get_model

from oscar_fulfillment.core import outbox
from oscar_fulfillment.documents import scan_codes
from oscar_fulfillment.models import OutboundMessage, Return
from oscar_fulfillment.selectors.returns import find_return
from oscar_fulfillment.services import mails, messages, returns
from oscar_fulfillment.test import factories
from sandbox.sellers import SELLERS

from ..pdf import codes, words
from . import returns as do

pytestmark = [pytest.mark.django_db, pytest.mark.feature("D15")]

HOSTILE = '<script>alert(1)</script>"&'


@pytest.fixture(autouse=True)
def shop(settings):
    settings.MANAGERS = [("Boss", "boss@example.com")]


def sent(kind):
    """The one mail of this kind."""
    outbox.drain()
    message = OutboundMessage.objects.filter(kind=kind).latest("pk")
    assert message.status == "sent", message.error
    headers = mails.message_id(message, get_model("sites", "Site").objects.get_current())
    (found,) = [m for m in mail.outbox if m.extra_headers["Message-ID"] == headers]
    return found


def html(letter):
    return letter.alternatives[0][0]


def walk(kind, **options):
    """An order whose return leads to a mail of this kind."""
    order = do.delivered(**options)
    ret = do.by_customer(order, 2, note=HOSTILE)
    if kind == messages.RETURN_REFUSED:
        returns.refuse_return(ret=ret, actor=do.TEAM, reason=f"Worn {HOSTILE}")
    if kind in (messages.RETURN_APPROVED, messages.RETURN_RECEIVED, messages.RETURN_SETTLED):
        ret = returns.approve_return(ret=ret, actor=do.TEAM, answer=f"By post {HOSTILE}", tracking_code="RET-1")
    if kind in (messages.RETURN_RECEIVED, messages.RETURN_SETTLED):
        ret = do.receive(ret, 1)
    if kind == messages.RETURN_SETTLED:
        do.settle(ret, amount="10.00")
    return order, ret


SAYS = {
    messages.RETURN_REQUESTED: ["2 × Mug: Arrived damaged", "please wait with sending them"],
    messages.RETURN_APPROVED: ["2 × Mug: Arrived damaged", "Please send the goods back", "By post", "RET-1"],
    messages.RETURN_REFUSED: ["cannot take these goods back", "Worn"],
    messages.RETURN_RECEIVED: ["1 × Mug", "have arrived here"],
    messages.RETURN_SETTLED: ["1 × Mug", "CHF10.00 back to you"],
}


@pytest.mark.parametrize("language", ["en", "pt"])
@pytest.mark.parametrize("kind", SAYS)
def test_the_customer_is_told_in_the_language_of_the_order(kind, language):
    order, _ret = walk(kind, fulfillment={"language": language})
    letter = sent(kind)
    assert letter.to == [order.email]
    assert order.number in letter.subject
    assert "\n" not in letter.subject
    assert HOSTILE not in html(letter)
    assert ('lang="pt"' in html(letter)) == (language == "pt")
    assert f"http://example.com/accounts/order-status/{order.number}/" in letter.body
    if language == "en":
        for part in SAYS[kind]:
            assert part in letter.body, part
        assert HOSTILE in letter.body or kind in (
            messages.RETURN_REQUESTED, messages.RETURN_RECEIVED, messages.RETURN_SETTLED,
        )  # fmt: skip


def test_the_shop_reads_what_the_customer_wants_and_where_to_work_it():
    order, ret = walk(messages.RETURN_REQUESTED)
    letter = sent(messages.OPERATOR_RETURN)
    assert letter.to == ["boss@example.com"]
    assert letter.reply_to == [order.email]
    for part in (order.number, "2 × Mug: Arrived damaged", "Money back", HOSTILE,
                 f"http://example.com/dashboard/orders/list/returns/{ret.pk}/"):  # fmt: skip
        assert part in letter.body
    assert HOSTILE not in html(letter)
    assert not letter.body.startswith("We have received")


@pytest.mark.parametrize(
    ("outcome", "way", "words"),
    [
        ("refund", "hand", "We pay CHF10.00 back to you."),
        ("refund", "credit", "You have a credit of CHF10.00 for your next order: credit note "),
        ("exchange", "", "We send you the same goods again."),
        ("nothing", "", "Nothing is paid back and nothing is sent.\n\nUsed"),
    ],
)
def test_the_outcome_is_told_in_its_own_words(outcome, way, words):
    do.settle(do.received(do.delivered(), 1), outcome, amount="10.00", way=way, reason="Used")
    letter = sent(messages.RETURN_SETTLED)
    assert words in letter.body
    if outcome != "nothing":
        assert "Used" not in letter.body  # said inside the shop


def test_the_approval_carries_the_slip_where_the_shop_has_an_address(settings):
    walk(messages.RETURN_APPROVED)
    letter = sent(messages.RETURN_APPROVED)
    assert letter.attachments == []
    assert "slip" not in letter.body
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "SELLERS": SELLERS}
    order, ret = walk(messages.RETURN_APPROVED, fulfillment={"language": "fr"})
    letter = sent(messages.RETURN_APPROVED)
    ((name, content, kind),) = letter.attachments
    assert (name, kind) == (f"return-{order.number}-R1.pdf", "application/pdf")
    assert order.number in words(content)
    assert {find_return(code) for code in codes(content)} == {ret}


def test_the_slip_names_the_country_for_parcels_from_abroad(settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "SELLERS": {"default": SELLERS["CHF"]}}
    walk(messages.RETURN_APPROVED, fulfillment={"language": "fr"})
    assert "Suisse" in words(sent(messages.RETURN_APPROVED).attachments[0][1])


def test_a_mail_about_a_return_that_is_gone_is_given_up():
    _order, ret = walk(messages.RETURN_REQUESTED)
    OutboundMessage.objects.filter(kind=messages.RETURN_REQUESTED).update(payload={"order_id": ret.fulfillment_id})
    outbox.drain()
    message = OutboundMessage.objects.get(kind=messages.RETURN_REQUESTED)
    assert (message.status, message.error) == ("dead", "AdapterRejected: the return is gone")


@pytest.mark.parametrize("switch", ["approve", "refuse", "receive", "settle", "ask"])
def test_no_mail_where_none_is_wanted(switch):
    order = do.delivered()
    if switch == "ask":
        do.ask(order, notify=False)
    elif switch == "approve":
        returns.approve_return(ret=do.ask(order, notify=False), actor=do.TEAM, notify=False)
    elif switch == "refuse":
        returns.refuse_return(ret=do.ask(order, notify=False), actor=do.TEAM, reason="No", notify=False)
    else:
        ret = do.receive(do.approved(order, notify=False), notify=False)
        do.settle(ret, amount="10.00", notify=False)
    assert do.mails(order) == []


# The one return that is meant


def test_a_scanned_or_typed_text_finds_its_return():
    order, other = do.delivered(number="A-100"), do.delivered(number="A-200")
    ret, foreign = do.approved(order), do.approved(other)
    Return.objects.filter(pk=ret.pk).update(tracking_code="RET-77")
    shipment = order.fulfillment.shipments.get()
    code = scan_codes.return_code(ret.pk)
    for text in (code, scan_codes.grouped(code), f" {code}\n", "A-100", "#A-100", "A-100-R1", "#A-100-R1", "A-100 r1",
                 "ret-77", scan_codes.order_code(order.pk), scan_codes.shipment_code(shipment.pk)):  # fmt: skip
        assert find_return(text) == ret, text
    for text in ("", " ", "A-1", "A-100-R2", "R1", "nobody", "\x00", "x" * 500, scan_codes.return_code(10**6)):
        assert find_return(text) is None, text
    assert find_return(scan_codes.return_code(foreign.pk)) == foreign


def test_of_several_the_one_that_is_awaited_is_meant():
    order = do.delivered(("Mug", "10.00", 9))
    received, approved, asked = do.received(order), do.approved(order), do.ask(order)
    assert find_return(order.number) == approved
    returns.cancel_return(ret=approved, actor=do.TEAM)
    assert find_return(order.number) == asked
    returns.cancel_return(ret=asked, actor=do.TEAM)
    assert find_return(order.number) == received


def test_a_partners_people_find_their_returns_only():
    order = do.delivered(lines=[(factories.product("Mug", partner="Mine"), 1)])
    ret = do.approved(order)
    user = factories.staff_user("work_returns")
    assert find_return(order.number, user) == ret
    user.is_staff = False
    user.save()
    assert find_return(order.number, user) is None
    order.lines.get().partner.users.add(user)
    assert find_return(order.number, user) == ret
