"""The pages of webhooks: who may see them, the key shown once, the test, the log, sending again, two managers at once."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from oscar_fulfillment.models import FollowUp, OutboundMessage, WebhookAttempt, WebhookEndpoint
from oscar_fulfillment.orders_dashboard.followup_words import present
from oscar_fulfillment.services import webhook_delivery, webhook_events, webhook_keys, webhooks
from oscar_fulfillment.test import factories
from tests.integration.webhooks import HERE, connect, events, listening, make, rows, send

from .steps import said, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.feature("Z15")]

URL = "/dashboard/orders/webhooks/"
KEY = re.compile(r"whsec_[A-Za-z0-9+/=]+")


@pytest.fixture(autouse=True)
def allowed(settings):
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "WEBHOOKS_OUT": HERE}


@pytest.fixture
def boss(client):
    client.force_login(factories.staff_user("manage_webhooks", "view_orderfulfillment", first_name="Marta"))
    return client


@pytest.fixture
def receiver():
    with listening() as found:
        yield found


def form(**typed):
    return {"seen": 0, "url": "https://erp.example/hook", "description": "", "which": "all", **typed}


def at(endpoint, tail=""):
    return f"{URL}{endpoint.pk}/{tail}"


def ended(endpoint, status="dead", kind="order.recorded", **values):
    return OutboundMessage.objects.create(
        destination=endpoint.lane, kind=kind, key=f"msg_{OutboundMessage.objects.count()}", status=status,
        attempts=10, payload={"body": '{"type":"order.recorded"}'}, **values,
    )  # fmt: skip


# ---- Who ----


def test_only_who_may_manage_webhooks_gets_anywhere(client):
    endpoint = make()
    message = ended(endpoint)
    pages = [URL, f"{URL}new/", at(endpoint), at(endpoint, "edit/"), at(endpoint, f"messages/{message.pk}/")]
    posts = [f"{URL}new/", at(endpoint, "edit/"), at(endpoint, f"messages/{message.pk}/again/")]
    posts += [at(endpoint, f"{step}/") for step in ("on", "off", "rotate", "delete", "test", "replay")]
    for codenames in ((), ("view_orderfulfillment",), ("manage_messages",)):
        client.force_login(factories.staff_user(*codenames))
        assert {client.get(page).status_code for page in pages} == {403}
        assert {client.post(page, form()).status_code for page in posts} == {403}
    customer = Client()
    assert {customer.get(page).status_code for page in pages} == {302}
    endpoint.refresh_from_db()
    assert (endpoint.version, endpoint.is_active, WebhookEndpoint.objects.count()) == (1, True, 1)
    message.refresh_from_db()
    assert message.status == "dead"


def test_the_menu_leads_there_for_those_who_may(client):
    for codenames, shown in ((("manage_webhooks",), True), (("manage_messages",), False)):
        client.force_login(factories.staff_user("view_orderfulfillment", *codenames))
        assert (f'href="{URL}"' in text_of(client.get("/dashboard/orders/"))) is shown


def test_changing_needs_a_post_and_a_token(boss):
    endpoint = make()
    for step in ("on", "off", "rotate", "delete", "test", "replay"):
        assert boss.get(at(endpoint, f"{step}/")).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(factories.staff_user("manage_webhooks"))
    assert strict.post(at(endpoint, "delete/")).status_code == 403
    assert WebhookEndpoint.objects.exists()


# ---- Making one, and its key ----


def test_the_key_is_shown_once_to_who_made_it_and_never_again(boss):
    assert "No other system is told anything yet" in text_of(boss.get(URL))
    answer = boss.post(f"{URL}new/", form(description="ERP"))
    endpoint = WebhookEndpoint.objects.get()
    assert answer.url == at(endpoint)
    page = boss.get(answer.url)
    assert KEY.findall(text_of(page)) == [webhook_keys.secret(endpoint.keys[0])]
    assert "no-store" in page["Cache-Control"]
    for page in (at(endpoint), at(endpoint, "edit/"), URL, at(endpoint)):
        assert not KEY.search(text_of(boss.get(page)))
    assert not KEY.search(str(dict(boss.session)))


def test_nobody_else_sees_the_new_key(boss):
    boss.post(f"{URL}new/", form())
    other = Client()
    other.force_login(factories.staff_user("manage_webhooks"))
    endpoint = WebhookEndpoint.objects.get()
    assert not KEY.search(text_of(other.get(at(endpoint))))
    assert KEY.search(text_of(boss.get(at(endpoint))))


def test_the_first_look_at_another_webhook_shows_nothing_and_loses_nothing(boss):
    other = make("https://other.example/")
    boss.post(f"{URL}new/", form())
    assert not KEY.search(text_of(boss.get(at(other))))
    assert KEY.search(text_of(boss.get(at(WebhookEndpoint.objects.last()))))


def test_a_key_that_is_not_the_newest_any_more_is_not_shown(boss, team):
    boss.post(f"{URL}new/", form())
    endpoint = WebhookEndpoint.objects.get()
    webhooks.rotate_key(endpoint=endpoint, actor=team)
    assert not KEY.search(text_of(boss.get(at(endpoint))))


def test_events_are_chosen_by_their_boxes(boss):
    page = text_of(boss.get(f"{URL}new/"))
    assert all(f'value="{name}"' in page for name in webhook_events.EVENTS)
    assert all(f"<legend>{label}</legend>" in page for label in ("Orders", "Payments", "Goods", "Returns", "Other"))
    chosen = ["payment.approved", "order.released"]
    boss.post(f"{URL}new/", form(which="some", events=chosen, includes_customer="on"))
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.all_events, set(endpoint.events), endpoint.includes_customer) == (False, set(chosen), True)
    assert KEY.search(text_of(boss.get(at(endpoint))))
    page = text_of(boss.get(at(endpoint, "edit/")))
    assert page.count("checked") == 4
    boss.post(at(endpoint, "edit/"), form(seen=1, which="all", events=chosen))
    endpoint.refresh_from_db()
    assert (endpoint.all_events, endpoint.events, endpoint.includes_customer) == (True, [], False)
    assert not KEY.search(text_of(boss.get(at(endpoint)))), "a change shows no key"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"url": ""}, "This field is required"),
        ({"url": "https://localhost/"}, "Only public addresses"),
        ({"url": "https://169.254.169.254/latest/"}, "Only public addresses"),
        ({"url": "ftp://erp.example/"}, "must begin with https"),
        ({"url": "https://erp.example/" + "a" * 600}, "at most 500"),
        ({"url": "https://erp.example/\x00"}, "Null characters are not allowed"),
        ({"which": ""}, "This field is required"),
        ({"which": "none"}, "not one of the available choices"),
        ({"which": "some"}, "Choose at least one event"),
        ({"which": "some", "events": ["order.exploded"]}, "not one of the available choices"),
        ({"description": "x" * 101}, "at most 100"),
        ({"seen": "x"}, "came in damaged"),
        ({"seen": ""}, "came in damaged"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(boss, typed, words):
    answer = boss.post(f"{URL}new/", form(description="Mine", **{k: v for k, v in typed.items() if k != "description"}
                                          ) | typed)  # fmt: skip
    assert answer.status_code == 422
    assert words in text_of(answer)
    assert not WebhookEndpoint.objects.exists()
    if "description" not in typed:
        assert 'value="Mine"' in text_of(answer)


def test_hostile_texts_are_shown_as_texts(boss):
    make("https://erp.example/?%3Cb%3E&a='\"<script>", description="<script>alert(1)</script>")
    endpoint = WebhookEndpoint.objects.get()
    message = ended(endpoint, error="<script>")
    WebhookAttempt.objects.create(
        message=message, at=timezone.now(), milliseconds=1, status=500, response="<script>alert(2)</script>",
        detail="<script>alert(3)</script>",
    )  # fmt: skip
    for page in (URL, at(endpoint), at(endpoint, "edit/"), at(endpoint, f"messages/{message.pk}/")):
        assert "<script>alert" not in text_of(boss.get(page))


# ---- Two managers ----


def test_two_managers_at_the_same_form(boss, client):
    endpoint = make(description="before")
    other = Client()
    other.force_login(factories.staff_user("manage_webhooks", first_name="Caio", last_name="Duarte"))
    assert other.post(at(endpoint, "edit/"), form(seen=1, description="Caio's")).status_code == 302
    answer = boss.post(at(endpoint, "edit/"), form(seen=1, description="Marta's"))
    assert answer.status_code == 409
    text = text_of(answer)
    assert "Caio Duarte has changed this webhook" in text
    assert 'value="Marta&#x27;s"' in text
    endpoint.refresh_from_db()
    assert endpoint.description == "Caio's"
    seen = re.search(r'name="seen" value="(\d+)"', text)[1]
    assert boss.post(at(endpoint, "edit/"), form(seen=seen, description="Marta's")).status_code == 302
    endpoint.refresh_from_db()
    assert endpoint.description == "Marta's"


def test_a_click_on_a_page_that_is_old_does_nothing(boss, team):
    endpoint = make()
    webhooks.save_webhook(actor=team, endpoint=endpoint, values={"description": "new"})
    for step in ("off", "rotate", "delete"):
        answer = boss.post(at(endpoint, f"{step}/"), {"seen": 1})
        assert "Look at it once more" in " ".join(said(boss, answer))
    endpoint.refresh_from_db()
    assert (endpoint.is_active, len(endpoint.keys)) == (True, 1)


# ---- Steps ----


def test_a_new_key_is_shown_and_the_old_one_goes_on(boss):
    endpoint = make()
    assert "made" in text_of(boss.get(at(endpoint)))
    answer = boss.post(at(endpoint, "rotate/"), {"seen": 1})
    text = text_of(boss.get(answer.url))
    endpoint.refresh_from_db()
    assert KEY.findall(text) == [webhook_keys.secret(endpoint.keys[0])]
    assert "the old one signs too until" in text
    boss.post(at(endpoint, "rotate/"), {"seen": 2, "at_once": "1"})
    endpoint.refresh_from_db()
    assert len(endpoint.keys) == 1
    assert "signs too" not in text_of(boss.get(at(endpoint)))


def test_off_and_on_and_gone(boss):
    endpoint = make(description="ERP")
    factories.placed_order()
    assert said(boss, boss.post(at(endpoint, "off/"), {"seen": 1})) == ["“ERP” is switched off."]
    assert "Switched off by a person." in text_of(boss.get(at(endpoint)))
    assert "off" in text_of(boss.get(URL))
    endpoint.refresh_from_db()
    assert said(boss, boss.post(at(endpoint, "on/"), {"seen": endpoint.version})) == ["“ERP” is switched on."]
    page = text_of(boss.get(at(endpoint)))
    assert "1 message was given up. Send again from" in page
    endpoint.refresh_from_db()
    answer = boss.post(at(endpoint, "delete/"), {"seen": endpoint.version})
    assert answer.url == URL
    assert said(boss, answer) == ["“ERP” is deleted."]
    for tail in ("", "edit/", "on/", "test/"):
        assert (boss.post if tail in ("on/", "test/") else boss.get)(at(endpoint, tail)).status_code == 404


@pytest.mark.parametrize("pk", ["0", "999999", "9" * 30])
def test_a_webhook_that_is_not_there(boss, pk):
    for tail in ("", "edit/", "messages/1/"):
        assert boss.get(f"{URL}{pk}/{tail}").status_code == 404
    assert boss.post(f"{URL}{pk}/off/").status_code == 404


def test_health_is_told_on_the_list(boss):
    fine, broken, gone = make("https://a.example/"), make("https://b.example/"), make("https://c.example/")
    ended(fine, "sent", sent_at=timezone.now())
    WebhookEndpoint.objects.filter(pk=broken.pk).update(failing_since=timezone.now())
    ended(broken)
    ended(broken, kind="ping")
    ended(broken, "pending")
    webhook_delivery.switch_off(gone, WebhookEndpoint.GONE)
    text = text_of(boss.get(URL))
    assert [word in text for word in (">works<", ">fails<", ">off<")] == [True] * 3
    assert "nothing was taken" in text
    assert "gone for good (410)" in text
    assert f'href="{at(broken)}?state=failed">1<' in text


# ---- The test button ----


def test_the_test_says_what_came_back(boss, receiver):
    endpoint = connect(receiver)
    answer = boss.post(at(endpoint, "test/"))
    assert answer.url.endswith("#test")
    page = text_of(boss.get(answer.url))
    assert "Answered 204." in page
    assert re.search(r"\d+ ms", page)
    assert receiver.messages[0]["type"] == "ping"
    receiver.answer_with("500")
    page = text_of(boss.get(boss.post(at(endpoint, "test/")).url))
    assert "Answered 500." in page
    assert "Something broke (500)" in page
    receiver.answer_with("302")
    page = text_of(boss.get(boss.post(at(endpoint, "test/")).url))
    assert "It wants us to go elsewhere" in page
    assert len(receiver.calls) == 3


def test_a_test_that_reaches_nobody_says_why(boss, settings):
    endpoint = make("http://127.0.0.1:9/")
    assert "Nobody takes the call there." in text_of(boss.get(boss.post(at(endpoint, "test/")).url))
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "WEBHOOKS_OUT": {}}
    assert "must begin with https://" in text_of(boss.get(boss.post(at(endpoint, "test/")).url))
    WebhookEndpoint.objects.update(keys=[{**endpoint.keys[0], "check": "of another SECRET_KEY"}])
    assert "The key cannot be made again" in text_of(boss.get(boss.post(at(endpoint, "test/")).url))


@pytest.mark.parametrize("tested", ["", "x", "0", "999", "9" * 40, "-1"])
def test_a_test_that_is_not_there_is_not_shown(boss, tested):
    page = boss.get(at(make()), {"tested": tested})
    assert page.status_code == 200
    assert 'id="test"' not in text_of(page)


def test_a_foreign_message_is_not_shown_as_a_test(boss, receiver):
    endpoint, other = connect(receiver), make("https://other.example/")
    message = webhook_delivery.ping(endpoint)
    assert 'id="test"' in text_of(boss.get(at(endpoint), {"tested": message.pk}))
    assert 'id="test"' not in text_of(boss.get(at(other), {"tested": message.pk}))
    assert boss.get(at(other, f"messages/{message.pk}/")).status_code == 404


# ---- The log ----


def test_the_log_leads_to_a_message_with_its_tries(boss, receiver):
    endpoint = connect(receiver)
    order = factories.placed_order()
    receiver.answer_with("500")
    send(endpoint)
    page = text_of(boss.get(at(endpoint)))
    assert "Will be tried again" in page
    assert "Answered 500." in page
    assert "next try" in page
    assert f"/dashboard/orders/{order.number}/" in page
    message = rows(endpoint).get()
    page = text_of(boss.get(at(endpoint, f"messages/{message.pk}/")))
    assert message.key in page
    assert "Something broke (500)" in page
    assert f"&quot;number&quot;: &quot;{order.number}&quot;" in page
    assert "Send again" not in page, "it goes by itself"


def test_before_its_first_try_a_message_says_so(boss):
    endpoint = make()
    factories.placed_order()
    page = text_of(boss.get(at(endpoint, f"messages/{rows(endpoint).get().pk}/")))
    assert "It was not tried yet." in page
    assert "It is made when it is first sent." in page


def test_the_log_is_narrowed(boss):
    endpoint = make()
    order = factories.paid_order()
    rows(endpoint, kind="order.recorded").update(status="sent")

    def kinds(**query):
        return re.findall(r'messages/\d+/">([a-z_.]+)<', text_of(boss.get(at(endpoint), query)))

    assert kinds() == ["order.status_changed", "payment.approved", "order.recorded"]
    assert kinds(state="delivered") == ["order.recorded"]
    assert kinds(state="waiting", event="payment.approved") == ["payment.approved"]
    assert kinds(number=order.number[:3], state="delivered") == ["order.recorded"]
    assert kinds(number="nothing") == []
    assert len(kinds(state="nonsense", event="nonsense", before="nonsense", number="\x00")) == 3


def test_the_log_is_paged(boss):
    endpoint = make()
    for _time in range(60):
        ended(endpoint, "sent")
    found, url = [], at(endpoint)
    while url:
        page = text_of(boss.get(url))
        found += [int(pk) for pk in re.findall(r'messages/(\d+)/">', page)]
        older = re.search(r'href="(\?[^"]*before=\d+)#log">Older', page)
        url = at(endpoint) + older[1].replace("&amp;", "&") if older else ""
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found) == 60


def test_the_page_of_a_webhook_costs_the_same_whatever_the_log(boss, django_assert_max_num_queries):
    endpoint = make()
    for _time in range(30):
        WebhookAttempt.objects.create(message=ended(endpoint), at=timezone.now(), milliseconds=1, status=500)
    boss.get(at(endpoint))
    with django_assert_max_num_queries(16):
        boss.get(at(endpoint))


# ---- Sending again ----


def test_one_message_is_sent_again(boss, receiver):
    endpoint = connect(receiver)
    message = ended(endpoint)
    url = at(endpoint, f"messages/{message.pk}/")
    assert "Send again" in text_of(boss.get(url))
    assert said(boss, boss.post(f"{url}again/")) == ["The message goes again."]
    assert said(boss, boss.post(f"{url}again/")) == ["It is on its way already."]
    assert send(endpoint) == {"sent": 1}
    assert said(boss, boss.post(f"{url}again/")) == ["The message goes again."], "a delivered one, too"
    assert send(endpoint) == {"sent": 1}
    assert {message["id"] for message in receiver.messages} == {message.key}


def test_a_test_is_not_sent_again(boss):
    endpoint = make()
    ping = ended(endpoint, kind="ping")
    assert boss.post(at(endpoint, f"messages/{ping.pk}/again/")).status_code == 404


def test_all_that_was_given_up_is_sent_again(boss):
    endpoint = make()
    ended(endpoint)
    ended(endpoint, created_at=timezone.now() - timedelta(days=9))
    since = timezone.localtime(timezone.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    assert said(boss, boss.post(at(endpoint, "replay/"), {"since": since})) == ["1 message goes again."]
    assert said(boss, boss.post(at(endpoint, "replay/"), {"since": since})) == ["Nothing was given up since then."]
    assert list(rows(endpoint).values_list("status", flat=True)) == ["pending", "dead"]


@pytest.mark.parametrize("since", ["", "yesterday", "2026-99-99T00:00", "\x00", "9" * 50, "0000-00-00"])
def test_a_moment_that_cannot_be_read_sends_nothing(boss, since):
    endpoint = make()
    ended(endpoint)
    assert "Enter the moment" in " ".join(said(boss, boss.post(at(endpoint, "replay/"), {"since": since})))
    assert rows(endpoint).get().status == "dead"


def test_nothing_is_sent_again_while_it_is_off(boss, team):
    endpoint = make()
    message = ended(endpoint)
    webhooks.set_active(endpoint=endpoint, active=False, actor=team)
    for url, data in ((at(endpoint, f"messages/{message.pk}/again/"), {}),
                      (at(endpoint, "replay/"), {"since": "2020-01-01T00:00"})):  # fmt: skip
        assert "switched off" in " ".join(said(boss, boss.post(url, data)))
    assert rows(endpoint).get().status == "dead"


# ---- Beside these pages ----


def test_what_webhooks_say_is_not_shown_to_those_who_manage_messages(client):
    endpoint = make()
    message = ended(endpoint)
    client.force_login(factories.staff_user("manage_messages"))
    assert client.get(f"/dashboard/orders/messages/out/{message.pk}/").status_code == 404
    assert endpoint.lane not in text_of(client.get("/dashboard/orders/messages/?way=out"))
    answer = client.post("/dashboard/orders/messages/again/", {"way": "out", "pk": message.pk})
    assert answer.status_code == 302
    message.refresh_from_db()
    assert message.status == "dead"


def test_the_order_page_does_not_list_them(client):
    make()
    order = factories.placed_order()
    client.force_login(factories.staff_user("*"))
    page = text_of(client.get(f"/dashboard/orders/{order.number}/"))
    assert "webhook:" not in page


@pytest.mark.parametrize(("why", "words"), [("gone", "gone for good"), ("gave_up", "took nothing, try after try")])
def test_the_follow_up_leads_to_the_webhook(client, why, words):
    endpoint = make()
    webhook_delivery.switch_off(endpoint, why)
    user = factories.staff_user("manage_followups", "manage_webhooks")
    client.force_login(user)
    page = text_of(client.get("/dashboard/orders/list/follow-ups/"))
    assert "A webhook was switched off" in page
    assert f"erp.example {'says that it is ' if why == 'gone' else ''}{words}" in page
    assert f'href="{at(endpoint)}"' in page
    shown = present(FollowUp.objects.get(), factories.staff_user("manage_followups"))
    assert shown["ways"] == [], "nobody is led where they may not go"


def test_events_that_this_version_does_not_know_stay_readable(boss):
    endpoint = make(all_events=False, events=["order.recorded"])
    WebhookEndpoint.objects.update(events=["order.recorded", "incident.opened"])
    ended(endpoint, kind="incident.opened")
    page = text_of(boss.get(at(endpoint)))
    assert page.count("incident.opened") >= 2
    assert boss.get(at(endpoint, "edit/")).status_code == 200
    assert events(endpoint) == ["incident.opened"]
