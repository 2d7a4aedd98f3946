import os


def pytest_collection_modifyitems(config, items):
    """Without node the tests of the browser code fail, so that nobody misses them; NO_NODE=1 says it is meant."""
    if os.environ.get("NO_NODE") != "1":
        return
    left_out = [item for item in items if item.get_closest_marker("node")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
