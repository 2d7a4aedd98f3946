from .stores import STORES, store_of


def shop(request) -> dict:
    return {"store": store_of(request), "stores": STORES.values()}
