"""The mails of an order: content, language, addressees, records, and what happens when the mail server is away."""

import logging
import smtplib
import threading

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.utils import translation
from oscar.core.loading import get_model

from oscar_fulfillment import checks, signals
from oscar_fulfillment.core import outbox
from oscar_fulfillment.core.exceptions import AdapterRejected, AdapterUnavailable
from oscar_fulfillment.models import LaneHealth, OrderFulfillment, OutboundMessage
from oscar_fulfillment.services import cancelling, mails, messages, notes, shipping
from oscar_fulfillment.services.post import Post
from oscar_fulfillment.test import factories

pytestmark = pytest.mark.django_db

HOSTILE = '<script>alert(1)</script>"&'
CODE = "AA123456785BR"


class Failing(EmailBackend):
    """A mail backend with a fault to choose."""

    error = None

    def send_messages(self, given):
        if Failing.error:
            raise Failing.error
        return super().send_messages(given)


@pytest.fixture(autouse=True)
def shop(settings):
    settings.MANAGERS = [("Boss", "boss@example.com")]
    settings.EMAIL_BACKEND = f"{__name__}.Failing"
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "OUTBOX_BACKOFF": [0.0]}
    Failing.error = None
    yield
    Failing.error = None


def sent(kind):
    """The one mail of this kind."""
    message = OutboundMessage.objects.get(kind=kind)
    outbox.drain()
    message.refresh_from_db()
    assert message.status == "sent", message.error
    headers = mails.message_id(message, get_model("sites", "Site").objects.get_current())
    (found,) = [m for m in mail.outbox if m.extra_headers["Message-ID"] == headers]
    return found


def html(letter):
    return letter.alternatives[0][0]


def drain_until_settled():
    """Try until nothing is due, whatever rests."""
    for _try in range(10):
        LaneHealth.objects.all().delete()
        if not outbox.drain():
            break


EVERY_KIND = {
    messages.ORDER_PLACED: factories.placed_order,
    messages.PAYMENT_APPROVED: factories.paid_order,
    messages.ORDER_CONFIRMED: factories.released_order,
    messages.ORDER_DISPATCHED: factories.dispatched_order,
    messages.ORDER_DELIVERED: factories.delivered_order,
    messages.ORDER_CANCELLED: factories.cancelled_order,
}


@pytest.mark.feature("D1")
@pytest.mark.parametrize("language", ["en", "pt"])
@pytest.mark.parametrize("account", [True, False], ids=["account", "guest"])
@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_step_is_told_in_the_language_of_the_order(kind, account, language, settings):
    user = factories.staff_user() if account else None
    order = EVERY_KIND[kind](user=user, fulfillment={"language": language})
    with translation.override("fr"):
        letter = sent(kind)
        assert translation.get_language() == "fr"
    assert letter.to == [order.email]
    assert order.number in letter.subject
    local = {"en": order.date_placed.strftime("%b %Y"), "pt": f"de {order.date_placed:%Y}"}[language]
    assert local in letter.body
    assert local in html(letter)
    assert ('lang="pt"' in html(letter)) == (language == "pt")
    path = f"/accounts/orders/{order.number}/" if account else f"/accounts/order-status/{order.number}/"
    assert f"http://example.com{path}" in letter.body
    assert f'href="http://example.com{path}' in html(letter)


@pytest.mark.feature("D1")
def test_money_and_dates_follow_the_language_of_the_order():
    order = factories.placed_order(fulfillment={"language": "pt"})
    letter = sent(messages.ORDER_PLACED)
    assert "R$\xa020,00" in letter.body
    assert "R$20.00" in sent_body_in("en")
    assert order.number in letter.subject


def sent_body_in(language):
    OutboundMessage.objects.all().delete()
    factories.placed_order(fulfillment={"language": language})
    return sent(messages.ORDER_PLACED).body


@pytest.mark.parametrize("language", ["", "tlh", "fr-ch"])
def test_a_language_that_the_shop_does_not_speak_becomes_the_nearest(language):
    factories.placed_order(fulfillment={"language": language})
    letter = sent(messages.ORDER_PLACED)
    assert ('lang="fr"' if language == "fr-ch" else 'lang="en-gb"') in html(letter)


@pytest.mark.feature("E5")
def test_the_confirmation_says_that_the_order_waits_and_how_to_pay():
    method = factories.manual_method(instructions="IBAN CH93 0076\nhttps://bank.example/pay")
    order = factories.placed_order(method=method)
    letter = sent(messages.ORDER_PLACED)
    assert "waiting to be processed" in letter.body
    assert "IBAN CH93 0076\nhttps://bank.example/pay" in letter.body
    assert "Awaiting payment" in letter.body
    assert f"give the order number {order.number} as the reference" in letter.body
    assert "2 × Mug" in letter.body
    assert 'href="https://bank.example/pay" rel="nofollow">' in html(letter)


def test_who_has_paid_is_not_asked_to_pay():
    factories.paid_order(method=factories.manual_method(instructions="IBAN CH93"))
    assert "IBAN" not in sent(messages.ORDER_PLACED).body


@pytest.mark.feature("D1")
def test_the_operator_gets_everything_in_the_language_of_the_shop():
    billing = factories.address("BillingAddress", first_name="Rui", line1="Av. Paga, 9")
    order = factories.placed_order(
        fulfillment={"language": "pt", "tax_id": "529.982.247-25", "tax_id_kind": "CPF"},
        lines=[(factories.product("Blue cup", sku="CUP-1"), 3)],
        shipping_address=factories.address(notes="Ring twice", phone_number="+5511987654321"),
    )
    get_model("order", "Order").objects.filter(pk=order.pk).update(billing_address=billing)
    letter = sent(messages.OPERATOR_NEW_ORDER)
    assert letter.to == ["boss@example.com"]
    assert letter.reply_to == ["ana@example.com"]
    assert letter.subject == f"New order {order.number}: R$30.00"
    for text in (letter.body, html(letter)):
        for part in ("Blue cup", "CUP-1", "Ana Souza", "Rua A, 1", "Rui Souza", "Av. Paga, 9", "529.982.247-25", "CPF",
                     "Deposit", "R$10.00", "R$30.00", "Ring twice", "+55 11 98765-4321", "ana@example.com",
                     "Free shipping", f"http://example.com/dashboard/orders/{order.number}/"):  # fmt: skip
            assert part in text, part


def test_operators_come_from_our_setting_before_the_managers(settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "OPERATOR_EMAILS": ["a@example.com", "b@example.com"]}
    factories.placed_order()
    assert sent(messages.OPERATOR_NEW_ORDER).to == ["a@example.com", "b@example.com"]
    settings.OSCAR_FULFILLMENT = {}
    settings.MANAGERS = ["plain@example.com"]
    assert mails.operators() == ["plain@example.com"]


def test_a_shop_without_operators_has_no_problem_at_every_order(settings):
    settings.MANAGERS = []
    assert [warning.id for warning in checks.check_mails()] == ["oscar_fulfillment.W030"]
    order = factories.placed_order()
    outbox.drain()
    assert [m.to for m in mail.outbox] == [["ana@example.com"]]
    assert OrderFulfillment.objects.get(pk=order.pk).problem == ""


@pytest.mark.feature("E3")
def test_confirmed_and_awaiting_dispatch():
    factories.released_order(currency="CHF")
    letter = sent(messages.ORDER_CONFIRMED)
    assert letter.subject.endswith("is confirmed and awaiting dispatch")
    assert "confirmed and awaiting dispatch" in letter.body


@pytest.mark.feature("A13")
@pytest.mark.feature("E4")
def test_the_parcels_of_correios_come_with_a_prominent_link():
    factories.dispatched_order(carrier="correios", tracking_code=CODE)
    letter = sent(messages.ORDER_DISPATCHED)
    link = f"https://rastreamento.correios.com.br/app/index.php?objetos={CODE}"
    assert f"Track your parcel: {link}" in letter.body
    assert f'href="{link}" rel="noopener" style="display: inline-block' in html(letter)
    assert "Correios" in letter.body


@pytest.mark.feature("E4")
def test_other_carriers_print_the_code():
    factories.dispatched_order(carrier="other", tracking_code="X-77")
    letter = sent(messages.ORDER_DISPATCHED)
    assert "Tracking code: X-77" in letter.body
    assert "Track your parcel" not in html(letter)


@pytest.mark.feature("E4")
def test_each_mail_tells_of_the_parcels_that_left_with_it(team):
    order = factories.invoiced_order(lines=[(factories.product("Cup", stock=9), 3)])
    line = order.lines.get()
    shipping.dispatch_order(order=order, actor=team, carrier="other", tracking_code="ONE", quantities={line.pk: 1})
    outbox.drain()
    shipping.dispatch_order(order=order, actor=team, carrier="other", tracking_code="TWO")
    outbox.drain()
    first, second = [m.body for m in mail.outbox if m.subject.endswith("on its way")]
    assert "A part of your order has left" in first
    assert ("ONE" in first, "TWO" in first, "1 × Cup" in first) == (True, False, True)
    assert ("ONE" in second, "TWO" in second, "2 × Cup" in second) == (False, True, True)


@pytest.mark.feature("Z6")
@pytest.mark.feature("E4")
def test_each_parcel_of_a_shipment_has_its_link_in_the_mail(team):
    order = factories.invoiced_order(lines=[(factories.product("Cup", stock=9), 3)])
    boxes = [{"carrier": "correios", "tracking_code": CODE}, {"carrier": "other", "tracking_code": "X-77"}]
    shipping.dispatch_order(order=order, actor=team, boxes=boxes)
    letter = sent(messages.ORDER_DISPATCHED)
    link = f"https://rastreamento.correios.com.br/app/index.php?objetos={CODE}"
    text = letter.body
    assert text.index("Parcel 1") < text.index(link) < text.index("Parcel 2") < text.index("Tracking code: X-77")
    assert text.count("3 × Cup") == 1
    assert f'href="{link}"' in html(letter)
    assert 'style="margin: 0;"></p>' not in html(letter)


@pytest.mark.parametrize("told", [True, False])
def test_the_reason_of_a_cancelling_stays_inside_unless_it_is_for_the_customer(told, team):
    order = factories.placed_order()
    cancelling.cancel_order(order=order, actor=team, reason="Looks like <fraud>", tell_reason=told)
    letter = sent(messages.ORDER_CANCELLED)
    assert ("Looks like <fraud>" in letter.body) == told
    assert ("Looks like &lt;fraud&gt;" in html(letter)) == told
    assert "<fraud>" not in html(letter)


def test_who_has_paid_for_a_cancelled_order_hears_of_the_refund(team):
    order = factories.paid_order()
    cancelling.cancel_order(order=order, actor=team, reason="Broken")
    assert "about the refund" in sent(messages.ORDER_CANCELLED).body


@pytest.mark.feature("E4")
def test_a_note_reaches_the_customer_escaped(order, team):
    notes.add_note(order=order, actor=team, text=f"See https://x.example/a {HOSTILE}", visible_to_customer=True)
    letter = sent(messages.CUSTOMER_NOTE)
    assert HOSTILE in letter.body
    assert "<script>" not in html(letter)
    assert 'href="https://x.example/a"' in html(letter)


def test_an_internal_note_is_not_mailed(order, team):
    notes.add_note(order=order, actor=team, text="Difficult person")
    outbox.drain()
    assert not any("Difficult" in m.body for m in mail.outbox)


def test_hostile_names_and_titles_are_escaped_in_html_and_plain_in_text():
    factories.placed_order(
        lines=[(factories.product(HOSTILE), 1)],
        shipping_address=factories.address(first_name=HOSTILE, notes=HOSTILE),
    )
    for kind in (messages.ORDER_PLACED, messages.OPERATOR_NEW_ORDER):
        letter = sent(kind)
        assert "<script>" not in html(letter)
        assert HOSTILE in letter.body
        OutboundMessage.objects.filter(kind=kind).update(status="sent")


@pytest.mark.parametrize("separator", ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x85", "\u2028"])
def test_nothing_gets_a_header_into_the_subject(separator):
    order = factories.placed_order()
    get_model("order", "Order").objects.filter(pk=order.pk).update(number=f"T1{separator}Bcc: evil@example.com")
    letter = sent(messages.ORDER_PLACED)
    assert letter.subject.startswith("We have received your order T1")
    assert len(letter.subject.splitlines()) == 1
    assert letter.message()["Bcc"] is None


@pytest.mark.parametrize("address", ["ana@example.com\nBcc: evil@example.com", "nobody", "", "a@b@c"])
def test_an_order_without_a_valid_address_is_a_problem_at_once(address):
    order = factories.placed_order()
    get_model("order", "Order").objects.filter(pk=order.pk).update(guest_email=address)
    outbox.drain()
    assert [m.to for m in mail.outbox] == [["boss@example.com"]]
    assert mail.outbox[0].reply_to == []
    assert OrderFulfillment.objects.get(pk=order.pk).problem == "mail_failed"


@pytest.mark.feature("D1")
def test_mails_are_recorded_as_oscars_events_once():
    order = factories.placed_order()
    outbox.drain()
    outbox.drain()
    assert [e.event_type.code for e in order.communication_events.all()] == ["ORDER_PLACED"]


def test_the_account_keeps_a_copy_as_with_stock_oscar():
    user = factories.staff_user()
    factories.placed_order(user=user)
    outbox.drain()
    assert user.emails.get().subject == mail.outbox[0].subject


def test_a_mail_that_is_out_is_not_sent_again_by_a_second_worker():
    factories.placed_order()
    message = OutboundMessage.objects.get(kind=messages.ORDER_PLACED)
    stale = OutboundMessage.objects.get(pk=message.pk)
    mails.send_mail(message)
    message.refresh_from_db()
    mails.send_mail(message)
    assert len(mail.outbox) == 1
    # A worker that read the row before may send once more: under the same id.
    mails.send_mail(stale)
    first, second = [m.message()["Message-ID"] for m in mail.outbox]
    assert first == second
    assert mail.outbox[0].message()["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (smtplib.SMTPServerDisconnected("gone"), AdapterUnavailable),
        (ConnectionRefusedError("ana@example.com"), AdapterUnavailable),
        (TimeoutError(), AdapterUnavailable),
        (smtplib.SMTPAuthenticationError(535, b"no"), AdapterUnavailable),
        (smtplib.SMTPSenderRefused(550, b"ana@example.com", "shop@example.com"), AdapterUnavailable),
        (smtplib.SMTPRecipientsRefused({"ana@example.com": (450, b"later")}), AdapterUnavailable),
        (smtplib.SMTPRecipientsRefused({"ana@example.com": (550, b"no ana@example.com")}), AdapterRejected),
        (smtplib.SMTPDataError(554, b"spam for ana@example.com"), AdapterRejected),
        (smtplib.SMTPDataError(451, b"later"), AdapterUnavailable),
        (ValueError("ana@example.com"), AdapterRejected),
        (RuntimeError("provider: ana@example.com"), AdapterUnavailable),
    ],
    ids=repr,
)
def test_errors_of_the_mail_server_are_told_apart_and_name_nobody(error, outcome):
    Failing.error = error
    letter = mail.EmailMessage("Hi", "Hi", "shop@example.com", ["ana@example.com"])
    with pytest.raises(outcome) as raised:
        Post("<1@example.com>", ["ana@example.com"]).send_messages([letter])
    assert "@" not in str(raised.value)
    assert raised.value.__suppress_context__


def test_a_mail_server_that_says_nothing_is_not_waited_for_forever(settings, monkeypatch):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    seen = []
    monkeypatch.setattr(smtplib, "SMTP", lambda *a, **options: seen.append(options["timeout"]) or 1 / 0)
    with pytest.raises(AdapterUnavailable):
        Post("<1@example.com>", ["a@example.com"]).send_messages([mail.EmailMessage(to=["a@example.com"])])
    assert seen == [20]


def test_a_mail_is_tried_again_when_the_server_is_back():
    order = factories.placed_order()
    Failing.error = ConnectionRefusedError()
    outbox.drain()
    assert OutboundMessage.objects.get(kind=messages.ORDER_PLACED).status == "pending"
    assert mail.outbox == []
    Failing.error = None
    drain_until_settled()
    assert sorted(m.to[0] for m in mail.outbox) == ["ana@example.com", "boss@example.com"]
    assert OrderFulfillment.objects.get(pk=order.pk).problem == ""


@pytest.mark.feature("D1")
def test_a_dead_mail_becomes_a_problem_of_its_order_and_sending_it_again_settles_that(caplog):
    order = factories.placed_order()
    told = []
    signals.message_died.connect(lambda message, **kw: told.append((message.kind, message.status)), weak=False,
                                 dispatch_uid="died")  # fmt: skip
    Failing.error = smtplib.SMTPServerDisconnected("gone")
    with caplog.at_level(logging.DEBUG):
        drain_until_settled()
    signals.message_died.disconnect(dispatch_uid="died")
    row = OrderFulfillment.objects.get(pk=order.pk)
    assert row.problem == "mail_failed"
    dead = list(OutboundMessage.objects.filter(status="dead"))
    assert sorted(told) == sorted((message.kind, "dead") for message in dead)
    failed = row.history.filter(machine="message", action="mail_failed")
    assert sorted(change.data["kind"] for change in failed) == sorted(message.kind for message in dead)
    assert {change.actor_label for change in failed} == {"mail"}
    assert "@" not in caplog.text
    Failing.error = None
    outbox.send_again(dead[0])
    outbox.drain()
    assert OrderFulfillment.objects.get(pk=order.pk).problem == "mail_failed"
    outbox.send_again(dead[1])
    outbox.drain()
    assert OrderFulfillment.objects.get(pk=order.pk).problem == ""
    assert row.history.first().action == "mail_sent"


def test_a_death_is_told_once_and_again_after_it_was_settled(order, team):
    message = OutboundMessage.objects.get(kind=messages.ORDER_PLACED)
    mails.mail_died(message)
    mails.mail_died(message)
    assert order.fulfillment.history.filter(action="mail_failed").count() == 1
    notes.resolve_problem(order=order, actor=team, reason="Called her")
    mails.mail_died(message)
    assert order.fulfillment.history.filter(action="mail_failed").count() == 2
    assert OrderFulfillment.objects.get(pk=order.pk).problem == "mail_failed"


def test_a_worse_problem_is_not_hidden_by_a_dead_mail(team):
    order = factories.paid_order()
    cancelling.cancel_order(order=order, actor=team, reason="Broken")
    mails.mail_died(OutboundMessage.objects.get(kind=messages.ORDER_CANCELLED))
    assert OrderFulfillment.objects.get(pk=order.pk).problem == "refund_due"


def test_a_dead_message_to_somebody_else_is_no_problem_of_the_mails(order):
    mails.mail_died(OutboundMessage(destination="erp", payload={"order_id": order.pk}))
    mails.mail_died(OutboundMessage(destination="mail", payload={"order_id": 0}))
    assert OrderFulfillment.objects.get(pk=order.pk).problem == ""


def test_the_mail_of_an_order_that_is_gone_dies_quietly():
    message = OutboundMessage.objects.create(destination="mail", kind="ORDER_PLACED", key="x", payload={"order_id": 0})
    outbox.drain()
    message.refresh_from_db()
    assert message.status == "dead"


@pytest.mark.feature("D1")
def test_a_text_of_the_shop_wins_and_an_empty_one_switches_the_mail_off(order):
    mails.ensure_event_types()
    types = get_model("communication", "CommunicationEventType").objects
    types.filter(code=messages.ORDER_PLACED).update(
        email_subject_template="Merci {{ order.number }}",
        email_body_template="{% load fulfillment_customer %}{% order_journey order as j %}{{ j.status_label }} "
        "{{ status_url }}",
        email_body_html_template="",
    )
    types.filter(code=messages.OPERATOR_NEW_ORDER).update(
        email_subject_template="", email_body_template="", email_body_html_template=""
    )
    letter = sent(messages.ORDER_PLACED)
    assert letter.subject == f"Merci {order.number}"
    assert letter.body.startswith("Received http://example.com/")
    assert len(mail.outbox) == 1


def test_event_types_are_made_once_and_what_the_shop_wrote_stays():
    types = get_model("communication", "CommunicationEventType").objects
    mails.ensure_event_types()
    types.filter(code=messages.CUSTOMER_NOTE).update(name="Ours")
    mails.ensure_event_types()
    assert sorted(types.values_list("code", flat=True)) == sorted(mails.EVENT_TYPES)
    assert types.get(code=messages.CUSTOMER_NOTE).name == "Ours"
    assert all(t.is_order_related() for t in types.all())


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_processes_that_start_together_make_each_event_type_once():
    assert connection.vendor == "postgresql", "this test needs DB=postgres; deselect it with -m 'not postgres'"
    barrier, failures = threading.Barrier(6), []

    def start():
        try:
            barrier.wait()
            mails.ensure_event_types()
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=start) for _number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    codes = get_model("communication", "CommunicationEventType").objects.values_list("code", flat=True)
    assert sorted(codes) == sorted(mails.EVENT_TYPES)


@pytest.mark.parametrize("kind", sorted(mails.EVENT_TYPES.keys() - mails.SENDERS.keys()))
def test_every_mail_renders_with_the_order_alone_as_in_oscars_preview(kind, order):
    given = get_model("communication", "CommunicationEventType")(code=kind).get_messages({"order": order})
    assert order.number in given["subject"]
    assert given["body"]
    assert given["html"]


def test_a_mail_costs_few_queries(django_assert_max_num_queries):
    factories.dispatched_order(carrier="correios", tracking_code=CODE)
    message = OutboundMessage.objects.get(kind=messages.ORDER_DISPATCHED)
    mails.ensure_event_types()
    with django_assert_max_num_queries(20):
        mails.send_mail(message)
