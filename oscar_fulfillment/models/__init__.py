from .messages import InboundMessage, LaneHealth, OutboundMessage, QueueSignal  # noqa: F401
