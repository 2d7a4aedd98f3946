def create_plain_orders(count: int) -> int:
    return 0
