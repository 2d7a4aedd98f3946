"""Saved views, personal and shared."""

import pytest
from django.test import Client

from oscar_fulfillment.models import SavedView
from oscar_fulfillment.services.views import MAX_VIEWS
from oscar_fulfillment.test import factories

from .test_order_list import URL, numbers

pytestmark = [pytest.mark.django_db, pytest.mark.feature("Z16")]

VIEWS = f"{URL}list/views/"


def person(*codenames):
    client = Client()
    user = factories.staff_user("view_order", *codenames)
    client.force_login(user)
    return client, user


def test_the_present_filters_are_kept_under_a_name_and_opened_again():
    ana, _user = person()
    paid = factories.paid_order(currency="CHF")
    factories.placed_order(currency="CHF")
    query = "currency=CHF&payment=paid"
    response = ana.post(
        f"{VIEWS}save/", {"name": "  Swiss,  paid ", "query": f"{query}&after=123-4&sort=newest&junk=1"}
    )
    assert response.status_code == 302
    view = SavedView.objects.get()
    assert (view.name, view.is_shared) == ("Swiss, paid", False)
    assert sorted(view.query.split("&")) == ["currency=CHF", "payment=paid"]
    page = ana.get(response.url)
    assert numbers(page) == [paid.number]
    assert [v.name for v in page.context["saved_views"]] == ["Swiss, paid"]
    assert f'view={view.pk}" aria-current="page"' in page.content.decode()


def test_a_personal_view_is_seen_by_its_owner_only_and_a_shared_one_by_all():
    ana, _user = person("share_view")
    bob, _bob = person()
    ana.post(f"{VIEWS}save/", {"name": "Mine", "query": "hold=1"})
    ana.post(f"{VIEWS}save/", {"name": "Ours", "query": "hold=1", "is_shared": "1"})
    assert [v.name for v in bob.get(URL).context["saved_views"]] == ["Ours"]
    assert [v.name for v in ana.get(URL).context["saved_views"]] == ["Mine", "Ours"]
    assert "shared by" in bob.get(VIEWS).content.decode()


def test_sharing_needs_its_permission():
    bob, user = person()
    assert bob.post(f"{VIEWS}save/", {"name": "Ours", "query": "", "is_shared": "1"}).status_code == 403
    assert not SavedView.objects.exists()
    view = SavedView.objects.create(owner=user, name="Mine", query="")
    assert bob.post(f"{VIEWS}{view.pk}/", {"name": "Mine", "is_shared": "1"}).status_code == 403
    view.refresh_from_db()
    assert not view.is_shared
    assert "For everybody" not in bob.get(URL).content.decode()


def test_views_are_renamed_shared_and_deleted():
    ana, user = person("share_view")
    view = SavedView.objects.create(owner=user, name="Old", query="hold=1")
    assert ana.post(f"{VIEWS}{view.pk}/", {"name": "New", "is_shared": "1"}).status_code == 302
    view.refresh_from_db()
    assert (view.name, view.is_shared, view.query) == ("New", True, "hold=1")
    assert ana.post(f"{VIEWS}{view.pk}/delete/").status_code == 302
    assert not SavedView.objects.exists()


def test_somebody_elses_view_is_left_alone():
    _ana, user = person()
    bob, _bob = person()
    boss, _boss = person("share_view")
    mine = SavedView.objects.create(owner=user, name="Mine", query="")
    ours = SavedView.objects.create(owner=user, name="Ours", query="", is_shared=True)
    for path in (f"{mine.pk}/", f"{mine.pk}/delete/", "999/delete/"):
        assert bob.post(VIEWS + path, {"name": "x"}).status_code == 404
    for path in (f"{ours.pk}/", f"{ours.pk}/delete/"):
        assert bob.post(VIEWS + path, {"name": "x"}).status_code == 403
    assert SavedView.objects.filter(name__in=["Mine", "Ours"]).count() == 2
    assert boss.post(f"{VIEWS}{ours.pk}/delete/").status_code == 302


@pytest.mark.parametrize(
    ("name", "query"),
    [("", ""), ("x" * 61, ""), ("a\x00b", ""), ("Taken", ""), ("Bad", "payment=gold"), ("Long", "q=" + "x" * 5000)],
)
def test_what_cannot_be_kept_is_refused_in_words(name, query):
    ana, user = person()
    SavedView.objects.create(owner=user, name="Taken", query="hold=1")
    response = ana.post(f"{VIEWS}save/", {"name": name, "query": query})
    assert response.status_code == 400
    assert 'role="alert"' in response.content.decode()
    assert list(SavedView.objects.values_list("name", "query")) == [("Taken", "hold=1")]


def test_renaming_to_a_taken_name_is_refused():
    ana, user = person()
    SavedView.objects.create(owner=user, name="Taken", query="")
    view = SavedView.objects.create(owner=user, name="Mine", query="")
    assert ana.post(f"{VIEWS}{view.pk}/", {"name": "Taken"}).status_code == 400
    view.refresh_from_db()
    assert view.name == "Mine"


def test_there_is_an_end_to_the_number_of_views():
    ana, user = person()
    SavedView.objects.bulk_create(SavedView(owner=user, name=str(i), query="") for i in range(MAX_VIEWS))
    response = ana.post(f"{VIEWS}save/", {"name": "one more", "query": ""})
    assert response.status_code == 400
    assert f"At most {MAX_VIEWS} views." in response.content.decode()
