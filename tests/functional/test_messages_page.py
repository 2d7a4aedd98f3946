"""The page of the messages that wait for a person."""

from datetime import timedelta

import pytest
from django.utils import timezone

from oscar_fulfillment.core import inbox, outbox
from oscar_fulfillment.core.outbox import OutboxMessage
from oscar_fulfillment.models import InboundMessage, LaneHealth, OutboundMessage
from oscar_fulfillment.test import factories
from tests.integration import payments

from .steps import text_of

pytestmark = pytest.mark.django_db

URL = "/dashboard/orders/messages/"


@pytest.fixture
def boss(client):
    client.force_login(factories.staff_user("manage_messages"))
    return client


def failed(source="payments:demo", number="e1", body=b"{}", headers=None, error="boom"):
    row, _new = inbox.receive(source, number, headers or {}, body)
    InboundMessage.objects.filter(pk=row.pk).update(status="failed", attempts=7, error=error)
    return row


def dead(destination="erp", key="k1", order=None, status="dead", **payload):
    outbox.enqueue([OutboxMessage(destination, "order", key, payload)], order_id=order and order.pk)
    OutboundMessage.objects.filter(destination=destination, key=key).update(status=status, attempts=7, error="gone")
    return OutboundMessage.objects.get(destination=destination, key=key)


@pytest.mark.parametrize(("codenames", "status"), [((), 403), (("view_order",), 403), (("manage_messages",), 200)])
def test_only_who_may_manage_messages_sees_them(client, codenames, status):
    row = failed()
    client.force_login(factories.staff_user(*codenames))
    assert client.get(URL).status_code == status
    assert client.get(f"{URL}in/{row.pk}/").status_code == status
    answer = client.post(f"{URL}again/", {"way": "in", "pk": row.pk}).status_code
    assert answer == (302 if status == 200 else 403)


def test_guests_are_sent_to_the_login(client):
    assert "login" in client.get(URL)["Location"]


def test_nothing_waits_and_the_page_says_so(boss):
    assert "Everything that came in was understood." in text_of(boss.get(URL))
    assert "Everything that was to be sent is sent" in text_of(boss.get(URL, {"way": "out"}))


def test_a_failed_notification_leads_to_its_order_and_is_replayed(boss):
    order, payment, _provider = payments.begun()
    body = f'{{"id": "e1", "payment": "{payment.external_id}"}}'.encode()
    row = failed(body=body, error="AdapterRejected: no such payment\nsecond line")
    text = text_of(boss.get(URL))
    assert "payments:demo/e1" in text
    assert "AdapterRejected: no such payment" in text
    assert f'href="/dashboard/orders/{order.number}/"' in text
    response = boss.post(f"{URL}again/", {"way": "in", "pk": row.pk}, follow=True)
    assert "1 message goes again." in text_of(response)
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("received", 0)
    assert "Nothing waits there any more" in text_of(
        boss.post(f"{URL}again/", {"way": "in", "pk": row.pk}, follow=True)
    )


def test_our_reference_leads_to_the_order_too(boss):
    order, payment, _provider = payments.begun()
    failed(body=f'{{"id": "e1", "ours": "{payment.reference}"}}'.encode())
    assert f'href="/dashboard/orders/{order.number}/"' in text_of(boss.get(URL))


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"[]", b'{"payment": "P404"}', b"{" * 5000])
@pytest.mark.parametrize("source", ["payments:demo", "payments:gone", "carriers:x", "odd"])
def test_what_cannot_be_read_is_listed_without_an_order(boss, body, source):
    row = failed(source=source, body=body)
    response = boss.get(URL)
    assert response.status_code == 200
    assert response.context["rows"][0]["order"] is None
    assert boss.get(f"{URL}in/{row.pk}/").status_code == 200


def test_the_body_is_shown_as_text_cut_and_without_secrets(boss):
    body = b"<script>alert(1)</script>" + b"x" * 30_000
    headers = {
        "X-Token": "let me in", "authorization": "Basic c2VjcmV0", "X-Webhook-Secret": "s3cr3t", "user-agent": "Demo/1",
        "x-fulfillment-query": "id=5&token=t0ken&data.id=7",
    }  # fmt: skip
    row = failed(body=body, headers=headers)
    response = boss.get(f"{URL}in/{row.pk}/")
    text = response.text
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert(1)" not in text
    assert text.count("x" * 1000) < 25
    assert "Only the first 20000 characters are shown." in text_of(response) or "20,000" in text_of(response)
    for secret in ("let me in", "c2VjcmV0", "s3cr3t", "t0ken"):
        assert secret not in text
    assert "Demo/1" in text
    assert "id=5&amp;token=[removed]&amp;data.id=7" in text
    assert "no-cache" in response["Cache-Control"]
    assert "no-store" in response["Cache-Control"]
    assert "alert(1)" not in boss.get(URL).text, "the body is shown on demand only"


def test_a_dead_message_leads_to_its_order_and_is_sent_again(boss):
    order = factories.placed_order()
    row = dead(order=order, greeting="olá <b>")
    response = boss.get(URL, {"way": "out"})
    assert f'href="/dashboard/orders/{order.number}/"' in text_of(response)
    page = boss.get(f"{URL}out/{row.pk}/")
    assert "olá &lt;b&gt;" in page.text
    assert "Send again" in page.text
    assert "1 message goes again." in text_of(boss.post(f"{URL}again/", {"way": "out", "pk": row.pk}, follow=True))
    row.refresh_from_db()
    assert row.status == "pending"
    assert "Send again" not in boss.get(f"{URL}out/{row.pk}/").text


def test_all_of_a_lane_go_again_but_not_those_that_may_have_been_done(boss):
    rows = [dead(key=f"k{n}") for n in range(3)]
    unknown, other = dead(key="u", status="unknown"), dead(destination="crm")
    text = text_of(boss.get(URL, {"way": "out"}))
    assert "It may have been done. Look at the other side" in text
    text = text_of(boss.post(f"{URL}again/", {"way": "out", "lane": "erp"}, follow=True))
    assert "3 messages go again." in text
    assert set(OutboundMessage.objects.filter(status="pending").values_list("pk", flat=True)) == {r.pk for r in rows}
    assert OutboundMessage.objects.get(pk=unknown.pk).status == "unknown"
    assert OutboundMessage.objects.get(pk=other.pk).status == "dead"
    boss.post(f"{URL}again/", {"way": "out", "pk": unknown.pk})
    assert OutboundMessage.objects.get(pk=unknown.pk).status == "pending"


def test_one_lane_is_shown_alone_and_many_come_in_pages(boss):
    for number in range(30):
        failed(number=f"e{number}")
    failed(source="carriers:x", number="c1")
    response = boss.get(URL, {"way": "in", "lane": "payments:demo"})
    assert len(response.context["rows"]) == 25
    assert "carriers:x/c1" not in text_of(response)
    response = boss.get(URL, {"way": "in", "lane": "payments:demo", "page": "2"})
    assert len(response.context["rows"]) == 5
    assert dict(response.context["lanes"]) == {"payments:demo": 30, "carriers:x": 1}
    assert "lane=payments%3Ademo" in response.text


def test_lanes_that_rest_are_named_with_their_error(boss):
    soon = timezone.now() + timedelta(minutes=5)
    LaneHealth.objects.create(name="outbox:payments:demo", trips=2, paused_until=soon, error="<b>Connection refused")
    LaneHealth.objects.create(name="inbox:payments:old", trips=1, paused_until=timezone.now(), error="timeout")
    text = text_of(boss.get(URL))
    assert "To payments:demo" in text
    assert "&lt;b&gt;Connection refused" in text
    assert "rests until" in text
    assert "From payments:old</strong> was down; the next try is due." in text


@pytest.mark.parametrize(
    "data",
    [{}, {"way": "in"}, {"way": "up", "pk": "1"}, {"way": "in", "pk": "x"}, {"way": "in", "pk": "9" * 30},
     {"way": "in", "pk": "١"}, {"way": "out", "lane": "a\x00b"}],
)  # fmt: skip
def test_a_form_nobody_made_is_404_and_changes_nothing(boss, data):
    row = failed()
    assert boss.post(f"{URL}again/", data).status_code == 404
    row.refresh_from_db()
    assert row.status == "failed"


@pytest.mark.parametrize(
    "query", ["way=x", "page=-1", "page=x", "lane=%00", "lane=" + "x" * 3000, "way=out&lane=nobody"]
)
def test_an_odd_address_still_shows_the_page(boss, query):
    failed()
    assert boss.get(f"{URL}?{query}").status_code == 200


def test_messages_that_are_not_there_are_404(boss):
    for path in ("in/999/", "out/999/", "up/1/"):
        assert boss.get(URL + path).status_code == 404
    assert boss.get(f"{URL}again/").status_code == 405
