from oscar.apps.partner.apps import PartnerConfig as OscarPartnerConfig


class PartnerConfig(OscarPartnerConfig):
    name = "sandbox.partner"

    def ready(self) -> None:
        from oscar.apps.partner import receivers  # noqa: F401
