"""The people of the demo shop. This list is printed by ``make sandbox`` and shown on the start page."""

from __future__ import annotations

from dataclasses import dataclass

PASSWORD = "sandbox"
# The group of customers that deferred payment is for (see the set "ru" of fulfillment_setup), and the one customer
# whom purchase on invoice is enabled for.
DEALERS = "Dealers"
REGULAR = "regular@example.com"
ALL = "*"


@dataclass(frozen=True)
class Login:
    email: str
    first_name: str
    last_name: str
    what: str
    # Group: its permissions are the codenames below; "" = none.
    group: str = ""
    is_staff: bool = False
    # Code of the partner whose orders only this person sees.
    partner: str = ""


# Codenames of the permissions of each role; see the contract of oscar_fulfillment.permissions.
ROLES: dict[str, tuple[str, ...]] = {
    "clerk": (
        "view_orderfulfillment",
        "release_order",
        "order_missing_goods",
        "hold_order",
        "cancel_order",
        "annotate_order",
        "export_orders",
        "extend_reservation",
        "edit_order",
        "manage_followups",
    ),
    "warehouse": (
        "view_orderfulfillment",
        "dispatch_order",
        "deliver_order",
        "order_missing_goods",
        "hold_order",
        "annotate_order",
    ),
    "finance": (
        "view_orderfulfillment",
        "approve_payment",
        "capture_payment",
        "refund_payment",
        "invoice_order",
        "issue_nfe",
        "manage_tax_profiles",
        "annotate_order",
        "export_orders",
        "export_accounts",
        "manage_followups",
        "manage_payment_methods",
        "import_statements",
    ),
    "manager": (ALL,),
    "partner": ("view_orderfulfillment", "release_order", "dispatch_order", "deliver_order", "annotate_order"),
}

# What each role may do in Oscar's own dashboard: seeing orders, and where the links of a refusal lead (stock, texts).
OSCAR_ROLES: dict[str, tuple[str, ...]] = {
    "clerk": ("order.view_order", "order.change_order", "catalogue.view_product", "catalogue.change_product"),
    "warehouse": ("order.view_order", "order.change_order", "catalogue.view_product", "catalogue.change_product"),
    "finance": ("order.view_order", "order.change_order"),
    "manager": (ALL,),
    "partner": ("partner.dashboard_access",),
}
# Django apps of Oscar whose permissions a manager has.
OSCAR_APPS = ("order", "catalogue", "partner", "communication", "offer", "voucher", "reviews", "shipping", "payment")

LOGINS: tuple[Login, ...] = (
    Login("manager@example.com", "Marta", "Nogueira", "manager: every step, overrides included", "manager", True),
    Login("clerk@example.com", "Caio", "Duarte", "clerk: releases, holds, cancels", "clerk", True),
    Login("finance@example.com", "Fabienne", "Rochat", "finance: payments, invoices, payment methods", "finance", True),
    Login("warehouse@example.com", "Wanda", "Ferraz", "warehouse: dispatches, marks as delivered", "warehouse", True),
    Login(
        "partner@example.com",
        "Pavel",
        "Orlov",
        "partner: sees only the orders of the Russian store",
        "partner",
        False,
        "ru",
    ),
    Login("admin@example.com", "Ada", "Silveira", "superuser", "", True),
    Login("customer@example.com", "Clara", "Menezes", "a customer with orders of her own"),
    Login("dealer@example.com", "Дмитрий", "Лебедев", "a dealer: pays later in the Russian store", DEALERS),
    Login(REGULAR, "Léa", "Rochat", "a known customer: buys on invoice in the Swiss store"),
)


def create_users() -> None:
    """Create or repair the logins, their groups and permissions. Running it again changes nothing."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Group, Permission
    from oscar.apps.partner.models import Partner

    known = set(get_user_model().objects.values_list("pk", flat=True))
    ours = Permission.objects.filter(content_type__app_label="oscar_fulfillment")
    groups = {}
    for role, codenames in ROLES.items():
        groups[role], _ = Group.objects.get_or_create(name=role)
        granted = set(ours if ALL in codenames else ours.filter(codename__in=codenames))
        if ALL in OSCAR_ROLES[role]:
            granted |= set(Permission.objects.filter(content_type__app_label__in=OSCAR_APPS))
        for name in OSCAR_ROLES[role]:
            app, _, codename = name.partition(".")
            granted |= set(Permission.objects.filter(content_type__app_label=app, codename=codename))
        groups[role].permissions.set(granted)

    groups[DEALERS], _ = Group.objects.get_or_create(name=DEALERS)

    for login in LOGINS:
        user, _ = get_user_model().objects.update_or_create(
            username=login.email.split("@")[0],
            defaults={
                "email": login.email,
                "first_name": login.first_name,
                "last_name": login.last_name,
                "is_staff": login.is_staff,
                "is_superuser": login.email.startswith("admin@"),
                "is_active": True,
            },
        )
        if not user.check_password(PASSWORD):
            user.set_password(PASSWORD)
            user.save(update_fields=["password"])
        user.groups.set([groups[login.group]] if login.group else [])
        if login.partner:
            Partner.objects.get(code=login.partner).users.add(user)
        if login.email == REGULAR and user.pk not in known:
            enable_invoice(user)


def enable_invoice(user) -> None:
    """Let a customer buy on invoice, once: what is taken away in the dashboard stays away."""
    from oscar_fulfillment.core.actors import Actor
    from oscar_fulfillment.models import PaymentMethod
    from oscar_fulfillment.services.payment_methods import allow_customer

    from .payment_methods import BY_CUSTOMER

    method = PaymentMethod.objects.filter(code=BY_CUSTOMER).first()
    if method is not None:
        allow_customer(method=method, customer=user, actor=Actor.system("demo"))
