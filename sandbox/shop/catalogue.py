"""The catalogue's lists from the database. (Oscar's need a search server; twenty-four products do not.)"""

from django.db.models import Q
from django.http import HttpResponsePermanentRedirect
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.generic import ListView
from oscar.core.loading import get_model

Product, Category = get_model("catalogue", "Product"), get_model("catalogue", "Category")


class ProductList(ListView):
    template_name = "oscar/catalogue/browse.html"
    context_object_name = "products"
    paginate_by = 24

    def get_queryset(self):
        return Product.objects.browsable().base_queryset().prefetch_related("images").order_by("upc")

    def get_context_data(self, **kwargs):
        return super().get_context_data(summary=_("All products"), is_index=True, **kwargs)


class CategoryList(ProductList):
    template_name = "oscar/catalogue/category.html"

    def get(self, request, *args, **kwargs):
        self.category = get_object_or_404(Category.objects.browsable(), pk=kwargs["pk"])
        if request.path != self.category.get_absolute_url():
            return HttpResponsePermanentRedirect(self.category.get_absolute_url())
        return super().get(request, *args, **kwargs)

    def get_queryset(self):
        return super().get_queryset().filter(categories__in=self.category.get_descendants_and_self()).distinct()

    def get_context_data(self, **kwargs):
        return super().get_context_data(category=self.category) | {"summary": self.category.name, "is_index": False}


class SearchList(ProductList):
    def get_queryset(self):
        self.words = self.request.GET.get("q", "")[:100].split()
        found = super().get_queryset()
        for word in self.words:
            found = found.filter(Q(title__icontains=word) | Q(description__icontains=word) | Q(upc__iexact=word))
        return found

    def get_context_data(self, **kwargs):
        summary = _("Results for “%(words)s”") % {"words": " ".join(self.words)}
        return super().get_context_data(**kwargs) | {"summary": summary, "is_index": False}
