from django.core.management.base import BaseCommand

from sandbox.demo import load, orders


class Command(BaseCommand):
    help = "Create the demo data that is missing: catalogue, ways to pay, people, and demo orders when there are none."

    def handle(self, *args, **options):
        load.load()
        if not orders.exist():
            made = orders.create_orders()
            if options["verbosity"]:
                self.stdout.write(f"{made} demo orders created")
