"""The catalogue of the demo shop: four categories, twenty-four products, each with a picture drawn for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from django.core.files.base import ContentFile

from . import pictures_road as road
from . import pictures_table as table
from .canvas import Canvas

# name -> (picture's background, its halo)
CATEGORIES: dict[str, tuple[str, str]] = {
    "Coffee & tea": ("#f6e3d3", "#fbf0e6"),
    "Light & home": ("#dcebe4", "#eef7f2"),
    "Desk & paper": ("#e3e1f3", "#f1f0fa"),
    "On the road": ("#dbe8f2", "#edf4fa"),
}


@dataclass(frozen=True)
class Item:
    sku: str
    title: str
    category: str
    # Price in reais; the other currencies follow from RATES.
    price: int
    draw: Callable[[Canvas], None]
    text: str


COFFEE, HOME, DESK, ROAD = CATEGORIES
ITEMS: tuple[Item, ...] = (
    Item("CT-101", "Névoa pour-over set", COFFEE, 189, table.dripper, "A porcelain dripper on a half-litre jug. Makes two cups, slowly, which is the point."),
    Item("CT-102", "Brasa espresso cup", COFFEE, 59, table.espresso_cup, "Thick stoneware that keeps the last sip warm. Saucer included."),
    Item("CT-103", "Pausa French press", COFFEE, 159, table.french_press, "Borosilicate glass, a steel frame and a filter fine enough for a coarse morning."),
    Item("CT-104", "Serra coffee beans, 250 g", COFFEE, 42, table.coffee_bag, "From 1,100 metres in the Mantiqueira. Cocoa, orange, roasted last week."),
    Item("CT-105", "Tarde mint tea, tin", COFFEE, 39, table.tea_tin, "Peppermint and lemon verbena, eighty grams of whole leaves."),
    Item("CT-106", "Garça gooseneck kettle", COFFEE, 249, table.kettle, "0.9 litres and a spout that goes exactly where you point it. For gas and induction."),
    Item("LH-201", "Faro desk lamp", HOME, 329, table.desk_lamp, "A steel arm, two joints and a warm bulb of 400 lumens. Stays where you put it."),
    Item("LH-202", "Lua pendant lamp", HOME, 459, table.pendant, "Spun aluminium, 36 cm across, cream inside. Two metres of textile cable."),
    Item("LH-203", "Seixo vase", HOME, 119, table.vase, "Round like a river pebble, thrown by hand, watertight. The flowers are yours to add."),
    Item("LH-204", "Azulejo cushion", HOME, 99, table.cushion, "Woven cotton with a tile pattern, 45 by 45 cm. The cover goes into the wash."),
    Item("LH-205", "Figo scented candle", HOME, 79, table.candle, "Fig leaf and cedar in soy wax. Burns for forty evenings."),
    Item("LH-206", "Tempo wall clock", HOME, 219, table.clock, "Oak rim, silent movement, 30 cm. The red hand does not hurry."),
    Item("DP-301", "Margem notebook", DESK, 64, road.notebook, "192 dotted pages that lie flat, a ribbon, an elastic band."),
    Item("DP-302", "Cinco pencil cup", DESK, 74, road.pencils, "Five colours of cedar pencils and the cup they live in."),
    Item("DP-303", "Pena fountain pen", DESK, 279, road.pen, "A steel nib, a piston and a line as wet as you like it."),
    Item("DP-304", "Ponto e vírgula mug", DESK, 54, road.mug, "Our semicolon on 350 ml of porcelain. Survives the dishwasher and most editors."),
    Item("DP-305", "Silêncio headphones", DESK, 689, road.headphones, "Closed, light, folding. Thirty hours on a charge, and a cable for the other days."),
    Item("DP-306", "Tecla compact keyboard", DESK, 549, road.keyboard, "Sixty-five keys, quiet switches, three devices. The escape key is red for a reason."),
    Item("OR-401", "Trilha backpack, 22 l", ROAD, 389, road.backpack, "Waxed canvas and a padded back. Fits a laptop, a jumper and a melon."),
    Item("OR-402", "Nascente bottle, 0.75 l", ROAD, 129, road.bottle, "Double steel wall: cold for a day, hot for half of one."),
    Item("OR-403", "Abrigo tent for two", ROAD, 1290, road.tent, "2.1 kg, up in four minutes, dry in a storm. Two doors, so nobody climbs over anybody."),
    Item("OR-404", "Garoa umbrella", ROAD, 149, road.umbrella, "Eight ribs of fibreglass that give way to the wind and come back."),
    Item("OR-405", "Embarque cabin suitcase", ROAD, 749, road.suitcase, "38 litres, 2.4 kg, four wheels that do not sing."),
    Item("OR-406", "Vaga-lume headlamp", ROAD, 169, road.headlamp, "350 lumens ahead, a red glow for the tent, charged in an hour."),
)  # fmt: skip

# partner code, name, currency, price in it for one real, the step prices are rounded to
PARTNERS: tuple[tuple[str, str, str, Decimal, Decimal], ...] = (
    ("br", "Ponto & Vírgula Brasil", "BRL", Decimal("1"), Decimal("1")),
    ("ch", "Ponto & Vírgula Suisse", "CHF", Decimal("0.19"), Decimal("0.50")),
    ("ru", "Точка с запятой", "RUB", Decimal("16"), Decimal("10")),
    ("eu", "Ponto & Vírgula Europe", "EUR", Decimal("0.18"), Decimal("0.50")),
)
# What makes the stock interesting: (sku, partner) -> units. Everything else has STOCK.
STOCK = 400
SCARCE = {("OR-403", "br"): 3, ("LH-202", "br"): 2, ("LH-202", "ch"): 0, ("DP-303", "ch"): 4, ("CT-106", "ru"): 0}


def price_in(item: Item, rate: Decimal, step: Decimal) -> Decimal:
    """The item's price in another currency, rounded to what a price tag would say (one step less a cent above 1)."""
    return ((item.price * rate / step).quantize(Decimal("1")) * step).quantize(Decimal("0.01"))


def create_catalogue() -> None:
    """Create or repair categories, products, pictures, partners and stock. Stock already allocated is kept."""
    from oscar.apps.catalogue.categories import create_from_breadcrumbs
    from oscar.core.loading import get_model

    Product, ProductClass, ProductImage = (
        get_model("catalogue", name) for name in ("Product", "ProductClass", "ProductImage")
    )
    Partner, StockRecord = get_model("partner", "Partner"), get_model("partner", "StockRecord")

    goods, _ = ProductClass.objects.get_or_create(
        name="Goods", defaults={"requires_shipping": True, "track_stock": True}
    )
    categories = {name: create_from_breadcrumbs(name) for name in CATEGORIES}
    partners = {
        code: Partner.objects.update_or_create(code=code, defaults={"name": name})[0] for code, name, *_ in PARTNERS
    }
    for item in ITEMS:
        product, _ = Product.objects.update_or_create(
            upc=item.sku,
            defaults={
                "title": item.title,
                "product_class": goods,
                "description": f"<p>{item.text}</p>",
                "is_public": True,
            },
        )
        product.categories.set([categories[item.category]])
        if not product.images.exists():
            canvas = Canvas(*CATEGORIES[item.category])
            item.draw(canvas)
            picture = ProductImage(product=product, display_order=0)
            picture.original.save(f"{item.sku.lower()}.webp", ContentFile(canvas.webp()))
        for code, _name, currency, rate, step in PARTNERS:
            StockRecord.objects.get_or_create(
                partner=partners[code],
                partner_sku=item.sku,
                defaults={
                    "product": product,
                    "price_currency": currency,
                    "price": price_in(item, rate, step),
                    "num_in_stock": SCARCE.get((item.sku, code), STOCK),
                },
            )
