"""1C and the shop: what is fetched is acknowledged once and exactly, what comes back is entered once."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone, translation
from django.utils.translation import gettext

from oscar_fulfillment.models import (
    ExchangeChunk,
    ExchangeFile,
    ExchangeSession,
    FollowUp,
    OrderFulfillment,
    OutsideChange,
)
from oscar_fulfillment.services import (
    cancelling,
    commerceml_import,
    commerceml_sessions,
    connector_changes,
    connector_ledger,
)
from oscar_fulfillment.tasks import watch_exchanges
from oscar_fulfillment.test import factories
from sandbox.simulators.onec_documents import read_orders
from sandbox.simulators.onec_wire import Exchange, Stopped, pack, pieces

from .connectors import ledger, send
from .onec import URL, by_client, exchanging, session, told, waits

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.feature("E11", "E10")]
TEAM = factories.TEAM


@pytest.fixture
def onec():
    with exchanging() as vendor:
        yield vendor


def released(**options):
    return waits(factories.released_order(currency="RUB", **options))[0]


def placed(**options):
    """An order that is over there before it was paid."""
    return waits(factories.placed_order(currency="RUB", **options))[0]


def numbers(wire):
    return [order["number"] for order in read_orders(wire.query())]


def statuses():
    return [row.status for row in ledger("onec")]


def state(order):
    row = OrderFulfillment.objects.get(pk=order.pk)
    return row.payment_status, row.shipping_status


def bring(wire, content, name="C:\\Temp\\orders.xml", **options):
    wire.send(name, content, **options)


# Out


@pytest.mark.parametrize("version", ["", "2.08", "3.1"])
@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251"])
def test_a_whole_exchange(version, encoding):
    with exchanging(encoding=encoding) as onec:
        onec.set_up(version=version)
        paid = factories.paid_order(currency="RUB")
        order = released(shipping_address=factories.address(first_name="Иван", last_name="Петров", line4="Казань"))
        assert onec.exchange() == "1 orders fetched, 1 told of"
        kept = onec.books.get("order", order.number)
        assert (kept["buyer"], kept["total"], kept["currency"]) == ("Иван Петров", str(order.total_incl_tax), "RUB")
        assert kept["status"] == "[P] Формируется к отправке"
        assert onec.books.get("order", paid.number) is None
        (row,) = ledger("onec")
        assert (row.status, row.external_number, row.outside_state) == ("acknowledged", "ЦБ-000001", "P")
        # A document that says no more than its number there is no news.
        assert not OutsideChange.objects.exists()
        assert onec.exchange() == "0 orders fetched, 0 told of"


def test_the_same_page_is_given_until_it_is_acknowledged(onec):
    first = released()
    wire = session()
    assert numbers(wire) == [first.number]
    second = released()
    assert numbers(wire) == [first.number]
    assert statuses() == ["sent", "waiting"]
    wire.success()
    assert statuses() == ["acknowledged", "waiting"]
    wire.success()
    assert statuses() == ["acknowledged", "waiting"]
    assert numbers(wire) == [second.number]
    wire.success()
    assert statuses() == ["acknowledged"] * 2
    assert numbers(wire) == []


def test_success_without_a_question_marks_nothing(onec):
    released()
    session().success()
    assert statuses() == ["waiting"]


def test_a_page_is_no_longer_than_it_may_be():
    with exchanging(page_size=2) as onec:
        orders = [released() for _number in range(5)]
        wire = session()
        assert numbers(wire) == [order.number for order in orders[:2]]
        wire.success()
        assert statuses() == ["acknowledged"] * 2 + ["waiting"] * 3
        assert onec.exchange() == "3 orders fetched, 3 told of"
        assert statuses() == ["acknowledged"] * 5


def test_what_was_fetched_and_not_acknowledged_is_there_for_the_next_session(onec):
    order = released()
    wire = session()
    assert onec.fetch(wire, killed=True) == 1
    assert statuses() == ["sent"]
    assert onec.exchange() == "1 orders fetched, 1 told of"
    assert onec.books.get("order", order.number)["times"] == 2
    assert onec.books.count("order") == 1
    assert statuses() == ["acknowledged"]


def test_two_exchanges_at_once_acknowledge_only_what_each_was_given(onec):
    first = released()
    one, other = session(), session()
    assert numbers(one) == [first.number]
    second = released()
    assert numbers(other) == [first.number, second.number]
    one.success()
    assert statuses() == ["acknowledged", "sent"]
    other.success()
    assert statuses() == ["acknowledged"] * 2


def test_an_order_that_changed_meanwhile_is_offered_anew(onec):
    order, other = released(), released()
    wire = session()
    numbers(wire)
    cancelling.cancel_order(order=order, actor=TEAM, reason="No more wanted")
    send("onec")
    wire.success()
    assert statuses() == ["waiting", "acknowledged"]
    (again,) = read_orders(wire.query())
    assert (again["number"], again["was_cancelled"]) == (order.number, True)
    wire.success()
    assert statuses() == ["acknowledged"] * 2
    assert other.number not in numbers(wire)


def test_what_a_person_dismissed_is_not_handed_out(onec):
    order, other = released(), released()
    connector_ledger.dismiss(export=ledger("onec")[0], actor=TEAM)
    assert numbers(session()) == [other.number]
    wire = session()
    numbers(wire)
    connector_ledger.dismiss(export=ledger("onec")[1], actor=TEAM)
    wire.success()
    assert statuses() == ["dismissed"] * 2
    assert order.number not in numbers(session())


def test_what_1c_itself_cancelled_does_not_come_to_it_as_news(onec):
    order = released()
    onec.exchange()
    onec.act(order.number, "cancel")
    assert onec.exchange() == "0 orders fetched, 1 told of"
    send("onec")
    assert statuses() == ["acknowledged"]
    assert state(order)[1] == "cancelled"


def test_pages_of_many_orders_take_few_queries(onec, django_assert_max_num_queries):
    for _number in range(3):
        released()
    wire = session()
    with django_assert_max_num_queries(25):
        wire.query()
    for _number in range(6):
        released()
    with django_assert_max_num_queries(25):
        session(call=by_client).query()


# Who comes in


def test_a_wrong_password_and_an_unknown_1c_are_turned_away(onec, caplog):
    wire = Exchange(URL, "1c-sandbox", "wrong", call=by_client)
    with pytest.raises(Stopped, match="401"):
        wire.login()
    assert not ExchangeSession.objects.exists()
    assert "wrong user or password" in caplog.text
    assert by_client("GET", URL.replace("onec", "other"), {}, b"")[0] == 404
    answer = Client().generic("GET", f"{URL}?type=sale&mode=checkauth", secure=True)
    assert (answer.status_code, answer["WWW-Authenticate"][:5]) == (401, "Basic")


def test_nothing_goes_without_a_session(onec):
    released()
    wire = session()
    good, sessid = wire.cookie, wire.sessid
    for cookie, key in (
        ("", sessid), (good[:-1] + ("A" if good[-1] != "A" else "B"), sessid), ("oscar_exchange=x.y", sessid),
        (good, "f" * 32), (good, "ы"), (good, "x"),
    ):  # fmt: skip
        wire.cookie, wire.sessid = cookie, key
        for mode in ("query", "success", "import", "info", "init"):
            with pytest.raises(Stopped, match="Сеанс|session"):
                wire.lines(mode)
        with pytest.raises(Stopped):
            wire.lines("file", b"x", filename="a.xml")
    assert statuses() == ["waiting"]
    assert not ExchangeFile.objects.exists()
    # Versions of 1C from before it send the cookie alone.
    wire.cookie, wire.sessid = good, ""
    assert len(numbers(wire)) == 1


def test_a_session_lives_as_long_as_it_is_used(onec):
    wire = session()
    row = ExchangeSession.objects.get()
    ExchangeSession.objects.update(expires_at=timezone.now() + timedelta(minutes=5))
    numbers(wire)
    assert ExchangeSession.objects.get().expires_at > timezone.now() + timedelta(minutes=50)
    ExchangeSession.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(Stopped):
        wire.lines("query")
    ExchangeSession.objects.update(expires_at=timezone.now() - timedelta(hours=25))
    assert commerceml_sessions.tidy() == 1
    assert not ExchangeSession.objects.filter(pk=row.pk).exists()


def test_a_session_is_good_for_its_own_1c_only():
    from .connectors import configured
    from .onec import BACKEND

    options = {"user": "1c-sandbox", "password": "пароль обмена"}
    with configured(onec=(BACKEND, options), branch=(BACKEND, options)):
        wire = session()
        wire.url = URL.replace("onec", "branch")
        with pytest.raises(Stopped):
            wire.lines("query")


def test_a_password_does_not_go_in_the_clear(onec):
    answer = Client().get(f"{URL}?type=sale&mode=checkauth")
    assert answer.content.decode().splitlines()[0] == "failure"
    assert "https" in answer.content.decode()


def test_goods_are_refused_in_words_or_thrown_away():
    with exchanging() as _onec:
        wire = Exchange(URL, "1c-sandbox", "пароль обмена", "3.1", by_client, kind="catalog")
        wire.login()
        with pytest.raises(Stopped, match="товар|goods"):
            wire.init()
    with exchanging(catalog="ignore") as _onec:
        wire = Exchange(URL, "1c-sandbox", "пароль обмена", "3.1", by_client, kind="catalog")
        wire.login()
        wire.init()
        wire.send("import.xml", b"x" * 100)
        assert wire.enter("import.xml") == 1
        assert not ExchangeFile.objects.exists()


def test_an_address_without_a_type_or_with_another_mode_is_told_so(onec):
    wire = session()
    with pytest.raises(Stopped):
        wire.lines("delete")
    wire.kind = ""
    with pytest.raises(Stopped, match="type=sale"):
        wire.lines("query")


def test_it_tells_which_statuses_there_are(onec):
    root = ElementTree.fromstring(session().say("info"))
    assert ("F", "Выполнен") in [(each.findtext("Ид"), each.findtext("Название")) for each in root.iter("Элемент")]


# Back


@pytest.mark.parametrize("attributes", [False, True])
@pytest.mark.parametrize("zip_", [False, True])
@pytest.mark.parametrize("asks", [False, True])
def test_what_happens_in_1c_comes_back(onec, attributes, zip_, asks):
    onec.set_up(attributes=attributes, zip=zip_, asks=asks, piece=300)
    order = released(lines=[(factories.product(price=Decimal("23000.50")), 1)])
    onec.exchange()
    onec.act(order.number, "send")
    assert onec.exchange() == "0 orders fetched, 1 told of"
    assert state(order) == ("paid", "dispatched")
    onec.act(order.number, "complete")
    onec.exchange()
    assert state(order) == ("paid", "delivered")
    assert [row.status for row in OutsideChange.objects.order_by("pk")] == ["applied", "applied"]


def test_a_payment_there_is_a_payment_here_once(onec):
    order = placed()
    wire = session()
    content = told(order, paid_at="2026-11-26T10:00:00")
    for name in ("a.xml", "b.xml", "a.xml"):
        bring(wire, content, name)
        wire.enter(name)
    bring(session(), content)
    assert state(order)[0] == "paid"
    assert OutsideChange.objects.count() == 1
    (row,) = OutsideChange.objects.all()
    assert (row.status, row.facts["paid"]["reference"]) == ("applied", "П-ЦБ-1")
    source = order.sources.get()
    assert (source.amount_debited, source.reference) == (order.total_incl_tax, "П-ЦБ-1")
    # E10: from the payment on it is in processing.
    assert order.fulfillment.history.filter(action="approve_payment").count() == 1


def test_an_emptied_date_pays_nothing(onec):
    order = placed()
    bring(session(), told(order))
    assert "<Значение>T</Значение>" in told(order).decode("cp1251")
    assert state(order) == ("awaiting_payment", "received")
    assert not OutsideChange.objects.exists()


def test_back_and_forth_is_heard_each_time(onec):
    order = placed()
    for _turn in range(2):
        bring(session(), told(order, state="[X] Проверка"))
        bring(session(), told(order, state="[Y] Готов"))
    assert [row.state for row in OutsideChange.objects.order_by("pk")] == ["X", "Y", "X", "Y"]


def test_an_unknown_order_is_kept(onec):
    order = placed()
    order.number = "999999"
    bring(session(), told(order, paid_at="2026-11-26T10:00:00"))
    row = OutsideChange.objects.get()
    assert (row.status, row.reference, row.fulfillment_id) == ("unmatched", "999999", None)


def test_a_number_of_1c_is_not_taken_for_one_of_ours(onec):
    order = placed()
    wire = session()
    bring(wire, told(order, id="2f6a-guid", paid_at="2026-11-26T10:00:00"), "a.xml")
    assert state(order)[0] == "awaiting_payment"
    assert OutsideChange.objects.get().status == "unmatched"
    other = released()
    numbers(wire)
    wire.success()
    bring(wire, told(other, id="2f6a-guid", sent_at="2026-11-26T10:00:00"), "b.xml")
    assert state(other)[1] == "dispatched"


def test_another_total_is_told_to_a_person_and_enters_nothing(onec):
    order = placed()
    bring(session(), told(order, total=str(order.total_incl_tax + 10), paid_at="2026-11-26T10:00:00"))
    row = OutsideChange.objects.get()
    assert (row.status, state(order)[0]) == ("refused", "awaiting_payment")
    assert FollowUp.objects.get(kind="outside_refused").fulfillment_id == order.pk
    bring(session(), told(order, total=str(order.total_incl_tax + 10), paid_at="2026-11-26T10:00:00"))
    assert OutsideChange.objects.count() == 1
    bring(session(), told(order, paid_at="2026-11-26T10:00:00"))
    assert state(order)[0] == "paid"


def test_what_the_order_does_not_allow_is_shown_and_holds_up_no_other(onec):
    held, other = placed(), released()
    wire = session()
    content = told(held, sent_at="2026-11-26T10:00:00")
    both = (
        content.replace("</КоммерческаяИнформация>".encode("cp1251"), b"")
        + told(other, sent_at="2026-11-26T10:00:00").partition(b"\n")[2].partition(b"\n")[2]
    )
    bring(wire, both)
    assert {row.reference: row.status for row in OutsideChange.objects.all()} == {
        held.number: "refused", other.number: "applied",
    }  # fmt: skip
    assert state(other)[1] == "dispatched"


def test_one_that_breaks_something_is_kept_for_a_person(onec, monkeypatch):
    order = placed()

    def broken(*args, **kwargs):
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(connector_changes, "take", broken)
        bring(session(), told(order, paid_at="2026-11-26T10:00:00"))
    assert OutsideChange.objects.get().status == "refused"


# Files


def test_pieces_are_put_together_in_their_order_and_repeated_ones_are_not(onec):
    order = placed()
    wire = session()
    parts = pieces(told(order, paid_at="2026-11-26T10:00:00"), 200)
    assert len(parts) > 4
    for part in parts:
        wire.lines("file", part, filename="orders.xml")
        wire.lines("file", part, filename="orders.xml")
    assert state(order)[0] == "paid"
    assert not ExchangeChunk.objects.exists()
    assert ExchangeFile.objects.get().size == sum(map(len, parts))


def test_a_file_that_begins_anew_begins_anew(onec):
    order = placed()
    wire = session()
    parts = pieces(told(order, paid_at="2026-11-26T10:00:00"), 200)
    for part in [*parts[:3], *parts]:
        wire.lines("file", part, filename="orders.xml")
    assert state(order)[0] == "paid"


@pytest.mark.parametrize("mixed", ["swapped", "missing", "last first"])
def test_pieces_out_of_order_enter_nothing(onec, mixed):
    order = placed()
    parts = pieces(told(order, paid_at="2026-11-26T10:00:00"), 200)
    if mixed == "swapped":
        parts[1], parts[2] = parts[2], parts[1]
    elif mixed == "missing":
        del parts[2]
    else:
        parts = [parts[-1], *parts[:-1]]
    wire = session()
    with pytest.raises(Stopped, match="не читается|cannot be read"):
        for part in parts:
            wire.lines("file", part, filename="orders.xml")
        wire.enter("orders.xml")
    assert state(order)[0] == "awaiting_payment"
    assert not OutsideChange.objects.exists()
    # The whole file once more, in the same session, is entered.
    bring(wire, told(order, paid_at="2026-11-26T10:00:00"), "orders.xml", piece=333)
    assert state(order)[0] == "paid"


def test_a_cut_off_file_enters_nothing(onec):
    order = placed()
    wire = session()
    bring(wire, told(order, paid_at="2026-11-26T10:00:00")[:-40])
    assert state(order)[0] == "awaiting_payment"
    with pytest.raises(Stopped, match="не читается|cannot be read"):
        wire.enter("orders.xml")
    assert not OutsideChange.objects.exists()


@pytest.mark.parametrize("name", ["C:\\Users\\1С\\v8_1.xml", "/etc/cron.d/orders.xml", "../../../settings.xml", "a\x00b.xml",
                                  "заказы \u2116 5.xml", "x/../../y.zip"])  # fmt: skip
def test_names_lead_nowhere(onec, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    order = placed()
    wire = session()
    bring(wire, told(order, paid_at="2026-11-26T10:00:00"), name)
    wire.enter(name)
    assert state(order)[0] == "paid"
    kept = ExchangeFile.objects.get().name
    assert not set(kept) & set("/\\\0")
    assert list(tmp_path.iterdir()) == []


def test_a_name_in_windows_1251_stays_itself(onec):
    wire = session()
    for name in ("Заказы.xml", "Отказы.xml"):
        wire.lines("file", b"<a", filename=name)
    assert sorted(ExchangeFile.objects.values_list("name", flat=True)) == ["Заказы.xml", "Отказы.xml"]
    for name in ("..", "", "a/"):
        with pytest.raises(Stopped):
            wire.lines("file", b"<a", filename=name)


def test_a_zip_is_imported_by_the_name_of_what_is_in_it(onec):
    order = placed()
    wire = session()
    wire.send("C:\\x\\orders.xml", told(order, paid_at="2026-11-26T10:00:00"), packed=True, piece=100)
    assert wire.enter("orders.xml") == 1
    assert state(order)[0] == "paid"
    with pytest.raises(Stopped):
        session().enter("orders.xml")


def test_bombs_do_not_go_off(onec):
    wire = session()
    entities = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><КоммерческаяИнформация>&b;</КоммерческаяИнформация>'
    with pytest.raises(Stopped, match="DTD"):
        wire.send("a.xml", entities.encode())
    with pytest.raises(Stopped, match="too large|слишком велик"):
        wire.send("b.xml", b" " * 30_000_000, packed=True)
    nested = io.BytesIO()
    with zipfile.ZipFile(nested, "w") as box:
        box.writestr("../../../evil.xml", pack("c.xml", b"<a/>"))
    with pytest.raises(Stopped):
        wire.send("c.zip", nested.getvalue())
    assert not OutsideChange.objects.exists()


def test_more_than_is_taken_is_refused_and_not_kept(onec):
    wire = session()
    assert wire.limit == 1_000_000
    with pytest.raises(Stopped, match="1000000"):
        wire.lines("file", b"x" * 1_000_001, filename="a.xml")
    sent = 0
    with pytest.raises(Stopped, match="20"):
        for number in range(50):
            wire.lines("file", bytes([number]) + b"x" * 999_999, filename="a.xml")
            sent += 1
    assert sent == 20
    assert ExchangeFile.objects.get().size == 20_000_000
    with pytest.raises(Stopped):
        wire.lines("file", b"x" * 50_000_000, filename="b.xml")
    with pytest.raises(Stopped):
        wire.say("file", b"", "POST", filename="c.xml").decode().startswith("failure") and wire.lines(
            "file", filename="c.xml"
        )


def test_a_long_import_is_gone_on_with_where_it_was(onec, monkeypatch):
    orders = [placed() for _number in range(5)]
    content = b"".join([
        '<?xml version="1.0" encoding="windows-1251"?><КоммерческаяИнформация>'.encode("cp1251"),
        *[b"\n".join(told(order, paid_at="2026-11-26T10:00:00").splitlines()[2:-1]) for order in orders],
        "</КоммерческаяИнформация>".encode("cp1251"),
    ])  # fmt: skip
    monkeypatch.setattr(commerceml_import, "BUDGET", 0.0)
    monkeypatch.setattr(commerceml_import.enter, "__kwdefaults__", {"budget": 0.0})
    wire = session()
    bring(wire, content)
    file = ExchangeFile.objects.get()
    assert (file.status, file.taken) == ("ready", 1)
    assert wire.lines("import", filename="orders.xml")[0] == "progress"
    assert ExchangeFile.objects.get().taken == 2
    # Nobody asks any more: the worker goes on.
    assert watch_exchanges() == 1
    assert {state(order)[0] for order in orders} == {"paid"}
    assert wire.enter("orders.xml") == 1
    assert OutsideChange.objects.filter(status="applied").count() == 5


def test_a_database_that_breaks_halfway_loses_nothing(onec, monkeypatch):
    order = placed()
    wire = session()

    def broken(*args, **kwargs):
        raise OperationalError("gone")

    with monkeypatch.context() as patched, pytest.raises(OperationalError):
        patched.setattr(connector_changes, "take", broken)
        bring(wire, told(order, paid_at="2026-11-26T10:00:00"))
    assert ExchangeFile.objects.get().status == "ready"
    assert wire.enter("orders.xml") == 1
    assert state(order)[0] == "paid"


def test_what_1c_is_shown_is_in_its_language_whatever_the_caller_prefers(onec):
    with translation.override("en-gb"):  # what the middleware sets for a call stays for this thread
        answer = Client().generic("GET", f"{URL}?type=other", secure=True, headers={"Accept-Language": "fr"})
    with translation.override("ru"):
        expected = gettext("The address must say type=sale.")
    assert answer.content.decode() == f"failure\n{expected}\n"
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
