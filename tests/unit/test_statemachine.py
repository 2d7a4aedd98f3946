"""Machines as tables: what is declared wrongly is refused with its reason; changes are copies; the drawing is right."""

import re

import pytest

from oscar_fulfillment.core.exceptions import ConfigurationError
from oscar_fulfillment.core.statemachine import State, StateMachine, Transition

A, B, C = State("a", "A", "info"), State("b", "B"), State("c", "C")


def step(name="go", sources=("a",), targets=("b",), **more):
    return Transition(name, sources, targets, name.title(), **more)


def machine(*transitions, states=(A, B)):
    return StateMachine.declare("test", states, transitions or (step(),))


def test_a_machine_starts_in_its_first_state_and_knows_its_steps():
    m = machine(step(), step("back", ("b",), ("a",)))
    m.validate()
    assert (m.name, m.initial, list(m.states), list(m.transitions)) == ("test", "a", ["a", "b"], ["go", "back"])
    assert [t.name for t in m.from_state("a")] == ["go"]
    assert [t.name for t in m.from_state("nowhere")] == []
    assert [t.name for t in m.leading_to(["a", "x"])] == ["back"]
    assert (m.label("a"), m.label("removed since")) == ("A", "removed since")
    assert (A.tone, B.tone) == ("info", "secondary")


@pytest.mark.parametrize(
    ("states", "transitions", "named"),
    [((), (), "[]"), ((A, A), (), "['a']"), ((A, B), (step(), step()), "['go']"), ((A, B, B), (step(),), "['b']")],
)
def test_what_is_declared_twice_or_empty_is_refused(states, transitions, named):
    with pytest.raises(ConfigurationError, match=re.escape(f"machine test: declared twice or empty: {named}")):
        StateMachine.declare("test", states, transitions)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (machine(step(targets=("x",))), "machine test: go names the unknown state 'x'"),
        (machine(step(sources=("y",))), "machine test: go names the unknown state 'y'"),
        (machine(step(targets=())), "machine test: go leads from nowhere or to nowhere"),
        (machine(step(sources=())), "machine test: go leads from nowhere or to nowhere"),
        (machine(step(guards=("no",))), "machine test: go has a guard that cannot be called: 'no'"),
        (machine(step(), states=(A, B, C)), "machine test: no step leads to c"),
        (machine(step("back", ("b",), ("a",)), states=(A, B)), "machine test: no step leads to b"),
        (StateMachine("test", "z", {"a": A}, {}), "machine test: the initial state 'z' does not exist"),
        (
            StateMachine("test", "a", {"a": A, "b": B}, {"other": step()}),
            "machine test: 'other' is stored under another name than its own, 'go'",
        ),
        (
            StateMachine("test", "z", {"a": A}, {"go": step()}),
            "machine test: the initial state 'z' does not exist; go names the unknown state 'b'",
        ),
    ],
)
def test_what_could_not_work_is_refused_with_every_reason(broken, message):
    with pytest.raises(ConfigurationError) as error:
        broken.validate()
    assert str(error.value) == message


def test_every_state_must_be_reached_over_any_number_of_steps_and_loops():
    chain = [step("ab"), step("bc", ("b",), ("c",)), step("cb", ("c",), ("b", "a"))]
    machine(*chain, states=(A, B, C)).validate()


def test_a_changed_copy_leaves_the_original_alone():
    m = machine()
    more = m.with_states(C, State("a", "Other A")).with_transitions(step("on", ("b",), ("c",)))
    more.validate()
    assert (list(m.states), m.label("a"), list(m.transitions)) == (["a", "b"], "A", ["go"])
    assert (list(more.states), more.label("a"), list(more.transitions)) == (["a", "b", "c"], "Other A", ["go", "on"])
    changed = more.change("on", sources=("a", "b"), danger=True)
    assert changed.transitions["on"].sources == ("a", "b")
    assert (changed.transitions["on"].danger, more.transitions["on"].danger) == (True, False)
    with pytest.raises(ConfigurationError, match="machine test: no transition 'x' to change"):
        m.change("x", danger=True)


def test_states_and_steps_get_other_words():
    m = machine().relabel({"a": "Alpha", "go": "Move"})
    assert (m.label("a"), m.label("b"), m.transitions["go"].label) == ("Alpha", "B", "Move")
    with pytest.raises(ConfigurationError, match=re.escape("machine test: cannot rename unknown ['x', 'z']")):
        m.relabel({"z": "Z", "x": "X", "a": "A"})


def test_removing_a_state_removes_the_steps_that_lead_only_there():
    m = machine(
        step("ab"), step("abc", ("a", "b"), ("b", "c")), step("bc", ("b",), ("c",)), step("ca", ("c",), ("a",)),
        states=(A, B, C),
    )  # fmt: skip
    left = m.without("c")
    left.validate()
    assert list(left.states) == ["a", "b"]
    assert {t.name: (t.sources, t.targets) for t in left.transitions.values()} == {
        "ab": (("a",), ("b",)), "abc": (("a", "b"), ("b",)),
    }  # fmt: skip
    assert list(m.without("ab", "c").transitions) == ["abc"]
    assert list(m.transitions) == ["ab", "abc", "bc", "ca"]
    with pytest.raises(ConfigurationError, match=re.escape("machine test: cannot remove unknown ['x']")):
        m.without("x", "a")


def test_the_drawing():
    m = machine(
        step("ab"), step("stay", ("b",), ("b",)), step("part", ("b",), ("b", "c")), states=(A, B, C)
    )  # fmt: skip
    assert m.to_mermaid() == (
        "stateDiagram-v2\n"
        "    [*] --> a\n"
        "    a: A\n"
        "    b: B\n"
        "    c: C\n"
        "    a --> b: ab\n"
        "    b --> b: stay\n"
        "    b --> c: part\n"
        "    c --> [*]\n"
    )
