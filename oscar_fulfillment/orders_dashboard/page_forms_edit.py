"""The form that takes the last edit of an order back."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from oscar_fulfillment.models import StatusChange
from oscar_fulfillment.services import drafts, edit_rules, editing

from .page_forms import StepForm, form, mail_address, mail_field, reason_field


@form("revert_edit")
class RevertEditForm(StepForm):
    """The order becomes what it was before its last edit."""

    submit_label = gettext_lazy("Take the edit back")

    reason = reason_field(gettext_lazy("Note for the history"))
    notify = mail_field(gettext_lazy("Tell the customer by mail?"))

    def prepare(self) -> None:
        self.label = _("Take the last edit back")  # the history says it as done
        self.fields["notify"].initial = "yes"
        self.fields["notify"].help_text = mail_address(self.page)

    def consequences(self) -> list[Any]:
        draft = drafts.last_applied(self.page.order.pk)
        if draft is None:
            return []
        change = StatusChange._default_manager.filter(
            fulfillment=self.page.fulfillment, sequence=draft.applied_version or 0
        ).first()
        found = [
            _("%(title)s: %(from)d → %(to)d") % {"title": line["title"], "from": line["to"], "to": line["from"]}
            for line in (change.data.get("changes", ()) if change else ())
        ]
        if draft.total_before is not None:
            currency = self.page.order.currency
            found.append(
                _("The total becomes %(total)s again.") % {"total": edit_rules.money_text(draft.total_before, currency)}
            )
        return found

    def save(self, **common: Any) -> StatusChange:
        typed = self.cleaned_data
        return editing.revert_edit(reason=typed["reason"], notify=typed["notify"] == "yes", **common)
