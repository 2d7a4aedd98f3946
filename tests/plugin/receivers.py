"""What a plugin of somebody else's does with every signal: note it, and, where it is told to, raise or veto."""

from django.core.exceptions import ValidationError
from django.dispatch import Signal

from oscar_fulfillment import signals

#: name -> Signal, all that the app declares.
ALL = {name: signal for name, signal in vars(signals).items() if isinstance(signal, Signal)}
AFTERWARDS = {name: signal for name, signal in ALL.items() if not name.startswith("validate_")}


class Plugin:
    """Connected by ``with``. ``broken``: its receivers raise. ``forbidden``: actions it vetoes."""

    def __init__(self, broken=False, forbidden=()):
        self.broken, self.forbidden = broken, forbidden
        self.heard, self.asked = [], []

    def listener(self, name):
        def receive(sender, **kwargs):
            self.heard.append((name, sender, kwargs))
            if self.broken:
                raise RuntimeError(f"the plugin fails at {name}")

        return receive

    def veto(self, sender, step, order, actions, **kwargs):
        self.asked.append((order.pk, actions))
        for _machine, action in actions:
            if action in self.forbidden:
                raise ValidationError(f"The plugin forbids to {action}.", code="forbidden_by_plugin")

    def __enter__(self):
        # Held here: signals keep weak references.
        self.receivers = {name: self.listener(name) for name in AFTERWARDS}
        for name, receiver in self.receivers.items():
            AFTERWARDS[name].connect(receiver)
        signals.validate_transition.connect(self.veto)
        return self

    def __exit__(self, *args):
        for name, receiver in self.receivers.items():
            AFTERWARDS[name].disconnect(receiver)
        signals.validate_transition.disconnect(self.veto)

    @property
    def names(self):
        return [name for name, _sender, _kwargs in self.heard]
