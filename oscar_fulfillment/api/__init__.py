"""The REST API for systems beside the shop: ``path("api/fulfillment/", include("oscar_fulfillment.api.urls"))``.

One table (:mod:`.operations`) says what there is: the URLs, the checks of what comes in, and the OpenAPI document are
made from it. Writes go through the services that connectors use.
"""
