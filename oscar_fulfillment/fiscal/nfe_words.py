"""The words of :mod:`nfe_findings`: what was found in a fiscal note's file, how bad it is, and what helps."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

ERROR, WARNING = "error", "warning"

_EXPORT = _("Export the XML of the authorised note (nfeProc) from the ERP or from the tax office’s portal.")
_CANCEL = _("Nothing is to be done with it.")
_FROM_SOURCE = _("Programs that reformat the file do this too. In doubt, export the note again.")
_ASK = _("Ask the tax office’s portal for this access key before you go on.")

#: code -> (severity, message, what to do). The values named in a message are texts.
TABLE: dict[str, tuple[str, Any, Any]] = {
    # The file cannot be read.
    "empty": (ERROR, _("The file is empty."), _EXPORT),
    "too_large": (
        ERROR,
        _("The file has %(size)s; a note may have %(limit)s at most."),
        _("Check which file this is: the tax office takes no note of that size."),
    ),
    "pdf": (ERROR, _("This is a PDF, the printed note (DANFE)."), _EXPORT),
    "packed": (ERROR, _("This is a compressed file that is no zip."), _("Unpack it, or zip it.")),
    "nested_zip": (ERROR, _("A zip inside a zip is not opened."), _("Unpack it and drop its files.")),
    "zip_locked": (ERROR, _("This file in the zip is locked with a password."), _("Unpack it first.")),
    "zip_bomb": (
        ERROR,
        _("This file in the zip would become two hundred times as large. No note does."),
        _("Ask whoever sent it."),
    ),
    "encoding": (ERROR, _("The file says its letters are coded as %(found)s, which no note is."), _EXPORT),
    "not_xml": (ERROR, _("This is no XML, or it is damaged: %(found)s"), _EXPORT),
    "dtd": (
        ERROR,
        _("The file declares a document type or entities. No note does; such files can do harm."),
        _("Ask whoever sent it for the note as the tax office has it."),
    ),
    "depth": (ERROR, _("The file is nested deeper than any note."), _EXPORT),
    "namespace": (
        ERROR,
        _("The file looks like a note, but its namespace is “%(found)s” and not the tax office’s."),
        _EXPORT,
    ),
    "cte": (ERROR, _("This is a freight document (CT-e), not the note of a sale."), _("Leave it out.")),
    "not_nfe": (ERROR, _("This XML is no fiscal note: it begins with <%(found)s>."), _EXPORT),
    "several": (ERROR, _("The file holds more than one note."), _("Save each in a file of its own.")),
    "damaged": (ERROR, _("The field %(field)s is missing or cannot be read."), _EXPORT),
    # The note itself.
    "unauthorised": (
        ERROR,
        _("The note is not authorised: the file has no protocol of the tax office."),
        _("Transmit it, then export it again with its protocol (nfeProc)."),
    ),
    "not_accepted": (
        ERROR,
        _("The tax office did not authorise this note: %(status)s %(text)s"),
        _("Correct the note in the ERP, transmit it again and drop the new file."),
    ),
    "denied": (
        ERROR,
        _("The tax office denied this note: %(status)s %(text)s"),
        _("Ask your accountant: its number is used up, and this buyer or issuer is irregular."),
    ),
    "cancelled": (ERROR, _("The note was cancelled at the tax office."), _("Drop the note that replaces it.")),
    "key": (ERROR, _("The note’s access key is wrong: %(found)s"), _EXPORT),
    "key_content": (
        ERROR,
        _("%(field)s is %(found)s in the note, but %(expected)s in its access key."),
        _("The file was changed. Export it again."),
    ),
    "protocol_key": (
        ERROR,
        _("The protocol belongs to another note: %(found)s"),
        _("The file was put together wrongly. Export it again."),
    ),
    "protocol_digest": (
        ERROR,
        _("The tax office authorised other contents than those in this file."),
        _("The file was changed or put together wrongly. Export it again."),
    ),
    "environment_test": (
        ERROR,
        _("This is a test note (homologation): it has no fiscal value."),
        _("Issue the note in the production environment."),
    ),
    "environment_production": (
        ERROR,
        _("This is a note of the production environment, but this shop takes test notes only."),
        _("Set NFE_ENVIRONMENT to “production”."),
    ),
    "incoming": (ERROR, _("This is a note for goods that come in, not for a sale."), _CANCEL),
    "purpose": (
        ERROR,
        _("This note does not sell goods: it completes, adjusts or returns (purpose %(found)s)."),
        _CANCEL,
    ),
    "issuer": (
        ERROR,
        _("%(found)s has issued this note, which is not this shop."),
        _("If it is one of yours, have it added to ISSUER_TAX_IDS."),
    ),
    "future": (
        WARNING,
        _("The note’s date is in the future: %(found)s."),
        _("Check the clock of the computer that issues the notes."),
    ),
    "recoded": (
        WARNING,
        _("The letters of the file are coded otherwise than it says; they were read as Windows-1252."),
        _("Check names and texts. Some programs save notes so; the tax office’s own file is better."),
    ),
    # The signature: warnings, since programs that reformat a file break it without harm.
    "signature_missing": (WARNING, _("The file is not signed."), _FROM_SOURCE),
    "signature_changed": (WARNING, _("The contents were changed after signing."), _FROM_SOURCE),
    "signature_forged": (WARNING, _("The signature is not of the certificate in the file."), _FROM_SOURCE),
    "signature_unknown": (WARNING, _("The signature is of a kind that cannot be checked."), _FROM_SOURCE),
    "certificate_unreadable": (WARNING, _("The certificate in the file cannot be read."), _ASK),
    "certificate_other": (WARNING, _("The certificate is of %(found)s, not of the note’s issuer."), _ASK),
    "certificate_expired": (WARNING, _("The certificate was not valid when the note was issued."), _ASK),
    "certificate_untrusted": (
        WARNING,
        _("The certificate does not come from an authority that this shop trusts."),
        _ASK,
    ),
    # The note and the order.
    "no_order": (ERROR, _("No order was found for this note."), _("Choose the order yourself, or set the note aside.")),
    "several_orders": (ERROR, _("More than one order may be meant: %(numbers)s."), _("Choose the order.")),
    "key_used": (
        ERROR,
        _("This note belongs to order %(number)s already."),
        _("If it was entered at the wrong order, take it back there first."),
    ),
    "known_key": (
        ERROR,
        _("This note is filed with order %(number)s already, from another file."),
        _("Nothing is to be done."),
    ),
    "not_ready": (
        ERROR,
        _("Order %(number)s cannot be invoiced now: %(why)s"),
        _("See to it on the order’s page, then check the note again."),
    ),
    "buyer": (
        ERROR,
        _("The note is for %(found)s, the order’s buyer is %(expected)s."),
        _("Choose another order; or apply it all the same and say why."),
    ),
    "total": (
        ERROR,
        _("The note is over %(found)s, but what the order lacks is %(expected)s."),
        _("Correct the note or the order; or apply it all the same and say why."),
    ),
    "buyer_unknown": (
        WARNING,
        _("The buyer cannot be compared: the note or the order names no CPF or CNPJ."),
        _("Compare names and addresses."),
    ),
    "older": (
        WARNING,
        _("The note was issued on %(found)s, before the order was placed (%(expected)s)."),
        _("Check that this is the right order."),
    ),
    "currency": (WARNING, _("The order is in %(found)s; a note is in BRL."), _("Check that this is the right order.")),
    "postcode": (
        WARNING,
        _("The note’s CEP is %(found)s, the order goes to %(expected)s."),
        _("Compare the addresses before the goods leave."),
    ),
    "items": (WARNING, _("The quantities differ: %(found)s."), _("Compare the goods before they leave.")),
    "more_than_released": (
        WARNING,
        _("The note covers the whole order, but only a part of it is released."),
        _("Release the rest, or have a note issued for what goes out."),
    ),
    "same_sums": (
        WARNING,
        _("More than one shipment has this sum; the note is taken for shipment %(found)s."),
        _("If it is for another one, take the note back and enter it there."),
    ),
    "sums": (
        WARNING,
        _("All notes of the order together are over %(found)s, the order is over %(expected)s."),
        _("Check freight and discounts with your accountant."),
    ),
    # Events.
    "event_refused": (ERROR, _("The tax office did not register this event: %(status)s %(text)s"), _CANCEL),
    "event_other": (ERROR, _("This event (%(found)s) changes nothing here."), _CANCEL),
    "event_early": (
        WARNING,
        _("The note that it cancels is not here. It will be refused if it comes."),
        _("Nothing is to be done."),
    ),
    "goods_left": (
        WARNING,
        _("The note of order %(number)s was cancelled, but its goods cannot be taken back here: %(why)s"),
        _("Applying it opens a follow-up for a person."),
    ),
}
