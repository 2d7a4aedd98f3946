"""The kernel of the three apps. It knows state machines, messages and adapters; it knows no order."""
