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
        "Prepayment (bank transfer)",
        "manual",
        "",
        "IBAN CH93 0076 2011 6238 5295 7\nPonto & Vírgula SA, Lausanne\n"
        "Please pay the exact amount and give the order number.",
    ),
    ("twint", "TWINT", "gateway", "datatrans", ""),
    ("card-ch", "Credit card", "gateway", "datatrans", ""),
    ("cash-pickup", "Cash on pick-up", "manual", "", "Bring the amount when you fetch the parcel in Lausanne."),
    ("invoice-ch", "Purchase on invoice", "manual", "", "Payable within 30 days, the invoice comes with the parcel."),
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
        "IBAN FR14 2004 1010 0505 0001 3M02 606\nPonto & Vírgula SAS, Lyon\nPlease give the order number.",
    ),
    ("card-eu", "Credit card", "gateway", "redsys", ""),
)


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
            },
        )
