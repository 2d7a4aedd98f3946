"""The one door itself: refusals, keys, versions, targets, what is announced."""

import pytest

from oscar_fulfillment.core import transitions
from oscar_fulfillment.core.actors import Actor
from oscar_fulfillment.core.exceptions import FulfillmentError, StaleVersion
from oscar_fulfillment.core.statemachine import Reason
from oscar_fulfillment.core.transitions import Move
from oscar_fulfillment.models import OrderFulfillment, StatusChange
from oscar_fulfillment.services import door, notes, payments, printing, release
from oscar_fulfillment.test import factories

pytestmark = pytest.mark.django_db


def test_an_effect_that_ends_where_its_step_may_not_is_our_mistake(order, team):
    payments.approve_payment(order=order, actor=team)

    def effect(steps):
        for step in steps:
            step.targets["shipping"] = "delivered"

    with pytest.raises(AssertionError, match="release may not end in 'delivered'"):
        door.move(order, release.RELEASE, actor=team, effect=effect)
    with pytest.raises(AssertionError, match="release may not end in None"):
        door.move(order, release.RELEASE, actor=team)
    assert OrderFulfillment.objects.get(pk=order.pk).shipping_status == "received"


def test_only_a_person_is_linked_to_a_user(order):
    user = factories.staff_user(first_name="Ana")
    linked = notes.add_note(order=order, actor=Actor.from_user(user), text="a")
    unlinked = [
        notes.add_note(order=order, actor=actor, text="b")
        for actor in (Actor("customer", "c", user), Actor.system("s"), Actor("user", "gone"))
    ]
    assert StatusChange.objects.get(pk=linked.pk).actor == user
    assert [StatusChange.objects.get(pk=row.pk).actor for row in unlinked] == [None, None, None]


def test_the_object_shows_what_was_written(order, team):
    seen = []

    def effect(steps):
        for step in steps:
            step.fields["problem"] = "x"
            seen.append((step.state("payment"), step.new_state("payment"), step.new_state("shipping"), step.change))

    steps = door.move_many([order.pk], payments.APPROVE, actor=team, effect=effect)
    subject = steps[0].subject
    assert seen == [("awaiting_payment", "paid", "received", None)]
    assert (subject.payment_status, subject.problem, subject.version) == ("paid", "x", 2)
    assert subject.history_hash == steps[0].change.hash
    assert steps[0].change.fulfillment is subject
    assert steps[0].changes == [steps[0].change]


def test_each_is_announced_once_after_the_commit(team, django_capture_on_commit_callbacks, monkeypatch):
    orders, told = [factories.placed_order() for _ in range(2)], []
    monkeypatch.setattr(door.signals, "BY_ACTION", {})
    aggregate = transitions.Aggregate(**{**vars(door.ORDERS), "announce": lambda step: told.append(step.subject.pk)})
    with django_capture_on_commit_callbacks(execute=True):
        pks = [order.pk for order in orders]
        transitions.apply_many(aggregate, pks, payments.APPROVE, actor=team, effect=payments.approve_effect)
        assert told == []
    assert told == pks


def test_a_batch_tells_done_refused_and_replayed_apart(team):
    orders = [factories.placed_order() for _ in range(3)]
    pks = [order.pk for order in orders]
    payments.approve_payment(order=orders[1], actor=team)
    first = door.move_many(pks, payments.APPROVE, actor=team, effect=payments.approve_effect, key="b")
    assert [[r.code for r in s.reasons] for s in first] == [[], ["already_done"], []]
    again = door.move_many(pks[::-1], payments.APPROVE, actor=team, effect=payments.approve_effect, key="b")
    assert [(s.replayed, [r.code for r in s.reasons]) for s in again] == [
        (True, []), (False, ["already_done"]), (True, []),
    ]  # fmt: skip
    assert [s.change for s in again] == [first[0].change, None, first[2].change]
    other = door.move_many(pks, printing.PRINTED, actor=team, key="b")
    assert [[r.code for r in s.reasons] for s in other] == [["key_used"], [], ["key_used"]]
    assert [order.payment_events.count() for order in orders] == [1, 1, 1]
    assert StatusChange.objects.filter(machine="document").count() == 1


def test_a_batch_is_told_more_of_each_and_leaves_out_who_was_overtaken(team):
    orders = [factories.placed_order() for _ in range(4)]
    notes.add_note(order=orders[1], actor=team, text="harmless")
    payments.approve_payment(order=orders[2], actor=team)
    seen = {}

    def effect(steps):
        seen.update({step.subject.pk: (step.context["a"], step.context.get("b")) for step in steps})
        payments.approve_effect(steps)

    each = {
        order.pk: transitions.Told(
            key=f"k{order.pk}", reason=order.number, data={"n": number}, context={"b": number}, expected_version=1
        )
        for number, order in enumerate(orders[:3])
    }
    told = {"data": {"n": 9, "m": 9}, "context": {"a": 1}, "key": "all", "reason": "all", "each": each}
    pks = [order.pk for order in orders]
    steps = door.move_many(pks, payments.APPROVE, actor=team, effect=effect, **told)
    assert [[reason.code for reason in step.reasons] for step in steps] == [[], [], ["stale"], []]
    assert seen == {pks[0]: (1, 0), pks[1]: (1, 1), pks[3]: (1, None)}
    made = [step.change for step in steps if step.change]
    assert [(row.idempotency_key, row.reason, row.data["n"], row.data["m"]) for row in made] == [
        (f"k{pks[0]}", orders[0].number, 0, 9), (f"k{pks[1]}", orders[1].number, 1, 9), ("all", "all", 9, 9),
    ]  # fmt: skip
    again = door.move_many(pks, payments.APPROVE, actor=team, effect=effect, **told)
    assert [step.replayed for step in again] == [True, True, False, True]
    assert [step.change for step in again if step.change] == made


def test_a_batch_without_anything_to_do_writes_nothing(team, django_assert_max_num_queries):
    order = factories.cancelled_order()
    called = []
    with django_assert_max_num_queries(4):
        steps = door.move_many([order.pk, order.pk], payments.APPROVE, actor=team, effect=called.append)
    assert ([len(s.reasons) for s in steps], called) == ([1], [])
    assert door.move_many([], payments.APPROVE, actor=team) == []


def test_whoever_is_refused_by_an_effect_is_left_out_of_what_follows(team):
    orders = [factories.placed_order() for _ in range(2)]

    def effect(steps):
        steps[0].refuse(Reason("no", "No"))

    steps = door.move_many([o.pk for o in orders], payments.APPROVE, actor=team, effect=effect)
    assert [s.subject.payment_status for s in steps] == ["awaiting_payment", "paid"]
    assert [OrderFulfillment.objects.get(pk=o.pk).version for o in orders] == [1, 2]


@pytest.mark.parametrize("ahead", [1, 10**6, 10**18])
def test_a_version_that_is_not_reached_yet_is_stale(order, team, ahead):
    with pytest.raises(StaleVersion) as error:
        payments.approve_payment(order=order, actor=team, expected_version=1 + ahead)
    assert error.value.change is None


def test_of_several_changes_since_the_last_that_matters_is_told(order, team):
    payments.approve_payment(order=order, actor=Actor.system("bank"))
    release.release_order(order=order, actor=Actor.system("warehouse"))
    notes.add_note(order=order, actor=Actor.system("clerk"), text="a")
    with pytest.raises(StaleVersion) as error:
        release.release_order(order=order, actor=team, expected_version=1)
    assert error.value.change.actor_label == "warehouse"


def test_a_step_of_another_flow_is_refused_by_name(order, team):
    with pytest.raises(FulfillmentError, match="no step “pack”"):
        door.move(order, Move("shipping", "pack"), actor=team)


def test_keys_for_forms_differ():
    keys = {transitions.new_key() for _ in range(50)}
    assert len(keys) == 50
    assert all(key.isalnum() and 30 < len(key) <= 100 for key in keys)
    assert transitions._storable("x" * 100) == "x" * 100
    assert len(transitions._storable("x" * 101)) == 64
