"""How the test store chooses an order's flow."""


def choose_flow(order):
    return "BRAZIL" if order.currency == "BRL" else "STANDARD"
