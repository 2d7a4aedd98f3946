"""The API's URLs, from the table: ``path("api/fulfillment/", include("oscar_fulfillment.api.urls"))``.

Not below ``i18n_patterns``: systems call one address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.urls import URLPattern, path, re_path

from .operations import Operation, operations
from .views import ApiView, missing, openapi

app_name = "fulfillment-api"

#: SKUs may hold a slash.
_CONVERTERS = {"number": "str", "invoice": "str", "sku": "path"}


def _patterns() -> Iterator[URLPattern]:
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in operations():
        by_path.setdefault(operation.path, {})[operation.method] = operation
    for route, found in by_path.items():
        pattern = re.sub(r"{(\w+)}", lambda match: f"<{_CONVERTERS[match[1]]}:{match[1]}>", route.removeprefix("/"))
        name = next(iter(found.values())).name
        yield path(pattern, ApiView.as_view(operations=found), name=name)


urlpatterns = [path("openapi.json", openapi, name="openapi"), *_patterns(), re_path("^.*$", missing)]
