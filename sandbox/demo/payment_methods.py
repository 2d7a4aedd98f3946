"""The ways to pay of the demo shop."""

# code, name, kind, provider, instructions
METHODS: tuple[tuple[str, str, str, str, str], ...] = (
    ("pix", "Pix", "manual", "", "Chave Pix: loja@example.com\nEnvie o comprovante respondendo ao e-mail do pedido."),
    (
        "deposito",
        "Depósito ou transferência",
        "manual",
        "",
        "Banco 001, agência 1234-5, conta 67890-1, Ponto & Vírgula Ltda.\nEscreva o número do pedido na descrição.",
    ),
    ("boleto", "Boleto bancário", "gateway", "mercadopago", "O boleto vence em três dias úteis."),
    ("cartao", "Cartão de crédito", "gateway", "mercadopago", ""),
    (
        "prepayment",
        "Paiement anticipé (virement)",
        "manual",
        "",
        "IBAN CH93 0076 2011 6238 5295 7\nPonto & Vírgula SA, Lausanne\n"
        "Merci de virer le montant exact et d'indiquer le numéro de commande.",
    ),
    ("twint", "TWINT", "gateway", "datatrans", ""),
    ("card-ch", "Carte de crédit", "gateway", "datatrans", ""),
    ("cash-pickup", "Paiement au retrait", "manual", "", "Apportez le montant en venant chercher le colis à Lausanne."),
    ("invoice-ch", "Achat sur facture", "manual", "", "Payable à 30 jours, la facture est jointe à la confirmation."),
    ("yookassa", "ЮKassa (карта, СБП)", "gateway", "yookassa", ""),
    (
        "invoice-ru",
        "Счёт для юридических лиц",
        "manual",
        "",
        "Счёт придёт по электронной почте. Товар резервируется на три дня.",
    ),
    (
        "transfer",
        "Virement / transferencia (SEPA)",
        "manual",
        "",
        "IBAN FR14 2004 1010 0505 0001 3M02 606\nPonto & Vírgula SAS, Lyon\n"
        "Indiquez le numéro de commande / indique el número de pedido.",
    ),
    ("card-eu", "Carte / tarjeta", "gateway", "redsys", ""),
)
#: The ones whose invoice is mailed with the confirmation (see sellers.py).
INVOICED = {"deposito", "invoice-ch", "invoice-ru", "transfer"}


def create_payment_methods() -> None:
    from oscar_fulfillment.models import PaymentMethod

    for position, (code, name, kind, provider, instructions) in enumerate(METHODS):
        PaymentMethod.objects.update_or_create(
            code=code,
            defaults={
                "name": name,
                "kind": kind,
                "provider": provider,
                "instructions": instructions,
                "position": position,
                "is_active": True,
                "sends_invoice": code in INVOICED,
            },
        )
