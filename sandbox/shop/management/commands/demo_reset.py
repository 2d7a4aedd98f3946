import time

from django.core.management.base import BaseCommand, CommandError

from sandbox.demo import bulk, load, orders


class Command(BaseCommand):
    help = "Drop the demo data and build it again: catalogue, people, orders in every state."

    def add_arguments(self, parser):
        parser.add_argument("--no-input", action="store_false", dest="interactive", help="do not ask first")
        parser.add_argument("--orders", type=int, default=0, help="add this many plain orders, made set-based")

    def handle(self, *args, **options):
        if options["orders"] < 0:
            raise CommandError("--orders must not be negative")
        if options["interactive"] and input("This deletes every order, basket and product. Type yes: ") != "yes":
            raise CommandError("Nothing was changed.")
        started = time.monotonic()
        load.drop()
        load.load()
        made = orders.create_orders()
        if options["orders"]:
            made += bulk.create_plain_orders(options["orders"])
        self.stdout.write(f"Demo data rebuilt: {made} orders in {time.monotonic() - started:.1f} s")
