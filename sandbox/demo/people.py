"""The customers of the demo orders, with addresses and tax numbers as their countries write them."""

from __future__ import annotations

from dataclasses import dataclass

from oscar_fulfillment.test.fiscal import make_cnpj, make_cpf


@dataclass(frozen=True)
class Person:
    first_name: str
    last_name: str
    line1: str
    city: str
    postcode: str
    state: str = ""
    country: str = ""
    district: str = ""
    tax_id_kind: str = ""
    tax_id: str = ""

    @property
    def email(self) -> str:
        name = f"{self.first_name}.{self.last_name}".lower().replace(" ", "")
        plain = {ord(a): b for a, b in zip("áâãçéêíóôõúüñèë", "aaaceeiooouunee", strict=True)}
        latin = name.translate(plain)
        return f"{latin if latin.isascii() else f'buyer{self.postcode}'}@example.net"


PEOPLE: dict[str, tuple[Person, ...]] = {
    "br": (
        Person("Ana", "Lima", "Rua das Laranjeiras 210", "Rio de Janeiro", "22240-003", "RJ", "BR", "Laranjeiras", "cpf", make_cpf("529982247")),
        Person("João", "Conceição", "Av. Paulista 1000, ap. 71", "São Paulo", "01310-100", "SP", "BR", "Bela Vista", "cpf", make_cpf("111444777")),
        Person("Beatriz", "Moraes", "Rua da Aurora 55", "Recife", "50050-000", "PE", "BR", "Boa Vista", "cpf", make_cpf("390533447")),
        Person("Café", "Central Ltda", "Rua XV de Novembro 300", "Curitiba", "80020-310", "PR", "BR", "Centro", "cnpj", make_cnpj("11444777" + "0001")),
        Person("Oficina", "Alfa Ltda", "Av. Afonso Pena 1500", "Belo Horizonte", "30130-003", "MG", "BR", "Centro", "cnpj", make_cnpj("12ABC34501DE")),
        Person("Rafael", "Teixeira", "Rua da Praia 880", "Porto Alegre", "90010-310", "RS", "BR", "Centro Histórico", "cpf", make_cpf("716566867")),
    ),
    "ch": (
        Person("Léa", "Rochat", "Rue de Bourg 12", "Lausanne", "1003", "", "CH"),
        Person("Urs", "Ammann", "Marktgasse 40", "Bern", "3011", "", "CH"),
        Person("Café", "Romand SA", "Rue du Marché 7", "Genève", "1204", "", "CH", "", "uid", "CHE109322551"),
        Person("Nina", "Keller", "Spalenberg 22", "Basel", "4051", "", "CH"),
    ),
    "ru": (
        Person("Анна", "Смирнова", "ул. Покровка, д. 17, кв. 4", "Москва", "101000", "", "RU"),
        Person("Игорь", "Волков", "Невский пр., д. 88", "Санкт-Петербург", "191025", "", "RU"),
        Person("Общество", "Вектор", "ул. Баумана, д. 5", "Казань", "420111", "", "RU", "", "inn", "7707083893"),
        Person("Мария", "Ким", "ул. Ленина, д. 30", "Екатеринбург", "620014", "", "RU"),
    ),
    "eu": (
        Person("Camille", "Moreau", "8 rue Mercière", "Lyon", "69002", "", "FR"),
        Person("Atelier", "Dubois SARL", "3 quai des Chartrons", "Bordeaux", "33000", "", "FR", "", "siret", "73282932000074"),
        Person("Lucía", "Ortega", "Calle Mayor 14", "Madrid", "28013", "", "ES"),
        Person("Marc", "Vidal", "Carrer de Girona 60", "Barcelona", "08009", "", "ES"),
    ),
}  # fmt: skip
