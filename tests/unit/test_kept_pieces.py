"""``{% kept %}``: a piece of a page is rendered once for what it depends on."""

import pytest
from django.template import Context, Template
from django.utils import translation

from oscar_fulfillment.templatetags import fulfillment_list
from oscar_fulfillment.templatetags.fulfillment_list import KeptNode


class Counted:
    def __init__(self):
        self.times = 0

    def __str__(self):
        self.times += 1
        return f"<{self.times}>"


@pytest.fixture(autouse=True)
def _nothing_kept():
    KeptNode.pieces.clear()
    yield
    KeptNode.pieces.clear()


def page(text):
    return Template("{% load fulfillment_list i18n %}" + text)


def test_it_is_rendered_once_for_each_key():
    template, what = page("{% kept a b %}{{ what }}{% endkept %}"), Counted()
    for a, b in [(1, 2), (1, 2), (2, 1), (1, 2), (1, ("x",))]:
        template.render(Context({"a": a, "b": b, "what": what}))
    assert what.times == 3


def test_it_is_escaped_once_and_stays_so():
    template = page("{% kept %}{{ what }}{% endkept %}")
    assert [template.render(Context({"what": "<b>"})) for _time in range(2)] == ["&lt;b&gt;"] * 2


def test_each_language_has_its_own():
    template = page('{% kept %}{% translate "Customer" %}{% endkept %}')
    found = []
    for language in ("en", "pt", "en"):
        with translation.override(language):
            found.append(template.render(Context()))
    assert found[0] == found[2] != found[1]


def test_two_pieces_with_the_same_key_are_two():
    template = page("{% kept a %}one{% endkept %}{% kept a %}two{% endkept %}")
    assert template.render(Context({"a": 1})) == "onetwo"
    assert template.render(Context({"a": 1})) == "onetwo"


def test_the_oldest_piece_goes_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(fulfillment_list, "MAX_KEPT", 2)
    template, what = page("{% kept a %}{{ what }}{% endkept %}"), Counted()
    for a in (1, 2, 3, 2, 3):
        template.render(Context({"a": a, "what": what}))
    assert what.times == 3
    template.render(Context({"a": 1, "what": what}))
    assert what.times == 4
    assert len(KeptNode.pieces) == 2


def test_a_change_of_settings_forgets_all(settings):
    template, what = page("{% kept %}{{ what }}{% endkept %}"), Counted()
    template.render(Context({"what": what}))
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT}
    template.render(Context({"what": what}))
    assert what.times == 2
