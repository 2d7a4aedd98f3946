"""``python -m sandbox.docs``: the pages of docs/ that are made from the code, so that they cannot disagree with it."""

from __future__ import annotations

import ast
import io
import os
import pprint
from pathlib import Path

from . import webhook_docs

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "oscar_fulfillment"


def states() -> str:
    """The built-in flows as diagrams."""
    from django.core.management import call_command

    out = io.StringIO()
    call_command("fulfillment_diagrams", "--built-in", stdout=out)
    return out.getvalue().rstrip("\n") + "\n"


def settings() -> str:
    """Each key of conf.DEFAULTS with the comment above it."""
    from oscar_fulfillment.conf import DEFAULTS

    source = (PACKAGE / "conf.py").read_text()
    lines = source.split("\n")
    (table,) = (
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict)
    )
    parts = [
        "# Settings\n\nMade from `oscar_fulfillment/conf.py`; do not edit.\n\nAll are keys of one dict, "
        "`OSCAR_FULFILLMENT`, in your Django settings. A key that is not listed here is refused by a system check.\n"
    ]
    for key in table.keys:
        assert isinstance(key, ast.Constant)
        comment: list[str] = []
        line = key.lineno - 2
        while lines[line].strip().startswith("#"):
            comment.insert(0, lines[line].strip().lstrip("# "))
            line -= 1
        value = pprint.pformat(DEFAULTS[key.value], width=100, sort_dicts=False)
        parts.append(f"\n## `{key.value}`\n\n{' '.join(comment)}\n\nDefault:\n\n```python\n{value}\n```\n")
    return "".join(parts)


def signals() -> str:
    """Each signal with the docstring under it."""
    tree = ast.parse((PACKAGE / "signals.py").read_text())
    parts = [f"# Signals\n\nMade from `oscar_fulfillment/signals.py`; do not edit.\n\n{ast.get_docstring(tree)}\n"]
    parts += [f"\n## `{name}`\n\n{text}\n" for name, text in signal_texts().items()]
    parts.append(
        """
## Example

```python
from django.core.exceptions import ValidationError
from django.dispatch import receiver
from oscar_fulfillment import signals


@receiver(signals.order_dispatched)
def tell_the_club(sender, order, shipments, **kwargs):
    ...


@receiver(signals.validate_transition)
def not_on_sundays(sender, step, order, actions, **kwargs):
    if ("shipping", "dispatch") in actions and step.now.weekday() == 6:
        raise ValidationError("Nothing leaves the house on Sundays.", code="sunday")
```
"""
    )
    return "".join(parts)


def signal_texts() -> dict[str, str]:
    """The text under each signal, by its name."""
    tree = ast.parse((PACKAGE / "signals.py").read_text())
    found = {}
    for node, following in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(node, ast.Assign)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            target = node.targets[0]
            assert isinstance(target, ast.Name)
            found[target.id] = " ".join(str(following.value.value).split())
    return found


def webhooks() -> str:
    """The events of webhooks, what is said, and how it is verified."""
    return webhook_docs.page(signal_texts())


PAGES = {"states.md": states, "settings.md": settings, "signals.md": signals, "webhooks.md": webhooks}

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sandbox.settings")
    import django

    django.setup()
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page())
