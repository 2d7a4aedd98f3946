"""State machines as plain tables: what states there are, which step leads from where to where, and what must hold.

Nothing here touches a database. A machine is declared once, validated at start-up, asked which steps are possible
(and why the others are not), and drawn as Mermaid for the documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .exceptions import ConfigurationError


@dataclass(frozen=True)
class Reason:
    """Why a step is not possible now.

    ``code`` is for programs, ``message`` for people; ``remedy`` says what helps and ``url`` where to do it.
    """

    code: str
    message: Any
    remedy: Any = ""
    url: str = ""


#: A guard looks at the situation (an object the app defines) and returns a Reason, or None when nothing is wrong.
Guard = Callable[[Any], Reason | None]


@dataclass(frozen=True)
class State:
    """One state. ``tone`` is the Bootstrap colour of its badge."""

    name: str
    label: Any
    tone: str = "secondary"


@dataclass(frozen=True)
class Transition:
    """One step: a verb that leads from any of ``sources`` to one of ``targets``.

    With several targets the step's service decides which one (it *resolves* the state from its parts).
    ``permission`` is the codename a person needs, ``form`` the name of the form that asks for what the step needs,
    ``locks`` says that stock or money moves, so that the rows are locked before they are read. ``aside``: taken for
    reasons of its own, and never named as what has to come before another step.
    """

    name: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    label: Any
    permission: str = ""
    guards: tuple[Guard, ...] = ()
    form: str = ""
    locks: bool = False
    danger: bool = False
    aside: bool = False


@dataclass(frozen=True)
class StateMachine:
    """A table of states and transitions. Immutable: a shop's own machine is a changed copy."""

    name: str
    initial: str
    states: Mapping[str, State]
    transitions: Mapping[str, Transition] = field(default_factory=dict)

    @classmethod
    def declare(cls, name: str, states: Iterable[State], transitions: Iterable[Transition]) -> StateMachine:
        """Build a machine from its rows; the first state is where every object starts."""
        listed, table = list(states), list(transitions)
        duplicates = {s.name for s in listed if [x.name for x in listed].count(s.name) > 1}
        duplicates |= {t.name for t in table if [x.name for x in table].count(t.name) > 1}
        if duplicates or not listed:
            raise ConfigurationError(f"machine {name}: declared twice or empty: {sorted(duplicates)}")
        return cls(name, listed[0].name, {s.name: s for s in listed}, {t.name: t for t in table})

    # Reading

    def label(self, state: str) -> Any:
        """The state's words for people; a state that was removed since reads as its name."""
        return self.states[state].label if state in self.states else state

    def from_state(self, state: str) -> list[Transition]:
        """The steps that start in this state, guards not asked."""
        return [t for t in self.transitions.values() if state in t.sources]

    def leading_to(self, states: Iterable[str]) -> list[Transition]:
        """The steps that may end in one of these states."""
        wanted = set(states)
        return [t for t in self.transitions.values() if wanted & set(t.targets)]

    # Changing (returns a copy)

    def with_states(self, *states: State) -> StateMachine:
        """Add states, or replace those of the same name."""
        return replace(self, states={**self.states, **{s.name: s for s in states}})

    def with_transitions(self, *transitions: Transition) -> StateMachine:
        """Add transitions, or replace those of the same name."""
        return replace(self, transitions={**self.transitions, **{t.name: t for t in transitions}})

    def change(self, name: str, **changes: Any) -> StateMachine:
        """Change fields of one transition."""
        if name not in self.transitions:
            raise ConfigurationError(f"machine {self.name}: no transition {name!r} to change")
        return self.with_transitions(replace(self.transitions[name], **changes))

    def relabel(self, labels: Mapping[str, Any]) -> StateMachine:
        """Give states and transitions other words; a name the machine does not have is an error."""
        unknown = set(labels) - set(self.states) - set(self.transitions)
        if unknown:
            raise ConfigurationError(f"machine {self.name}: cannot rename unknown {sorted(unknown)}")
        return replace(
            self,
            states={n: replace(s, label=labels.get(n, s.label)) for n, s in self.states.items()},
            transitions={n: replace(t, label=labels.get(n, t.label)) for n, t in self.transitions.items()},
        )

    def without(self, *names: str) -> StateMachine:
        """Remove states (with the steps that lead only there) and transitions."""
        gone = set(names)
        unknown = gone - set(self.states) - set(self.transitions)
        if unknown:
            raise ConfigurationError(f"machine {self.name}: cannot remove unknown {sorted(unknown)}")
        kept = {}
        for transition in self.transitions.values():
            sources = tuple(s for s in transition.sources if s not in gone)
            targets = tuple(s for s in transition.targets if s not in gone)
            if transition.name not in gone and sources and targets:
                kept[transition.name] = replace(transition, sources=sources, targets=targets)
        return replace(self, states={n: s for n, s in self.states.items() if n not in gone}, transitions=kept)

    # Checking and drawing

    def validate(self) -> None:
        """Raise :class:`ConfigurationError` for anything that could not work."""
        problems = []
        if self.initial not in self.states:
            problems.append(f"the initial state {self.initial!r} does not exist")
        for key, transition in self.transitions.items():
            if key != transition.name:
                problems.append(f"{key!r} is stored under another name than its own, {transition.name!r}")
            if not transition.sources or not transition.targets:
                problems.append(f"{transition.name} leads from nowhere or to nowhere")
            for state in (*transition.sources, *transition.targets):
                if state not in self.states:
                    problems.append(f"{transition.name} names the unknown state {state!r}")
            for guard in transition.guards:
                if not callable(guard):
                    problems.append(f"{transition.name} has a guard that cannot be called: {guard!r}")
        if not problems:
            lost = set(self.states) - self._reachable()
            if lost:
                problems.append(f"no step leads to {', '.join(sorted(lost))}")
        if problems:
            raise ConfigurationError(f"machine {self.name}: " + "; ".join(problems))

    def _reachable(self) -> set[str]:
        seen, todo = {self.initial}, [self.initial]
        while todo:
            state = todo.pop()
            for transition in self.from_state(state):
                for target in transition.targets:
                    if target not in seen:
                        seen.add(target)
                        todo.append(target)
        return seen

    def to_mermaid(self) -> str:
        """The machine as a Mermaid state diagram."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.initial}"]
        lines += [f"    {name}: {state.label}" for name, state in self.states.items()]
        for transition in self.transitions.values():
            lines += [
                f"    {source} --> {target}: {transition.name}"
                for source in transition.sources
                for target in transition.targets
                if source != target or len(transition.targets) == 1
            ]
        ends = set(self.states) - {s for t in self.transitions.values() for s in t.sources if set(t.targets) != {s}}
        lines += [f"    {name} --> [*]" for name in self.states if name in ends]
        return "\n".join(lines) + "\n"
