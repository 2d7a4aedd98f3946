from django.apps import apps
from django.urls import include, path

urlpatterns = [
    path("i18n/", include("django.conf.urls.i18n")),
    path("fulfillment/", include("oscar_fulfillment.urls")),
    path("api/fulfillment/", include("oscar_fulfillment.api.urls")),
    path("", include(apps.get_app_config("oscar").urls[0])),
]
