from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.static import serve

from sandbox.shop import catalogue

urlpatterns = [
    path("i18n/", include("django.conf.urls.i18n")),
    path("fulfillment/", include("oscar_fulfillment.urls")),
    path("api/fulfillment/", include("oscar_fulfillment.api.urls")),
    path("admin/", admin.site.urls),
    path("sandbox/", include("sandbox.shop.urls")),
    # A demo shop may serve its own pictures; a real one leaves that to its web server.
    re_path(r"^media/(?P<path>.*)$", serve, {"document_root": settings.MEDIA_ROOT}),
    # Before Oscar's own: the same addresses, so that every link of Oscar lands here.
    path("catalogue/", catalogue.ProductList.as_view()),
    path("catalogue/category/<path:slug>_<int:pk>/", catalogue.CategoryList.as_view()),
    path("search/", catalogue.SearchList.as_view()),
    path("", include(apps.get_app_config("oscar").urls[0])),
]
