"""What happens after a commit is heard of, and hurts nobody."""

import logging

import pytest
from django.db import transaction

from oscar_fulfillment.core.commit import after_commit


@pytest.mark.django_db(transaction=True)
def test_a_callback_that_fails_is_logged_and_the_next_one_runs(caplog):
    heard = []

    def broken(word):
        raise ZeroDivisionError(word)

    with caplog.at_level(logging.ERROR), transaction.atomic():
        after_commit(broken, "first")
        after_commit(heard.append, "second")
        assert heard == []
    assert heard == ["second"]
    assert "broken" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_nothing_runs_after_a_rollback():
    heard = []
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        after_commit(heard.append, "never")
        raise ZeroDivisionError
    assert heard == []
