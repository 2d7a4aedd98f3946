def choose_flow(order) -> str:
    """Orders in reais need a fiscal document; all others follow the short flow."""
    return "BRAZIL" if order.currency == "BRL" else "STANDARD"
