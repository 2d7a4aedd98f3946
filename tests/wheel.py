"""``python -m tests.wheel``: the wheel, installed into a fresh environment, carries all a store needs and starts."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import tempfile
import venv
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

#: What a wheel without would look fine until somebody opened the page.
MUST_CARRY = (
    "oscar_fulfillment/static/oscar_fulfillment/access_key.js",
    "oscar_fulfillment/templates/oscar_fulfillment/orders/page.html",
    "oscar_fulfillment/migrations/0001_initial.py",
    "oscar_fulfillment/documents/fonts/LiberationSans-Regular.ttf",
    "oscar_fulfillment/documents/templates/invoice.typ",
    "oscar_fulfillment/locale/pt/LC_MESSAGES/django.mo",
    "oscar_fulfillment/locale/fr/LC_MESSAGES/django.mo",
    "oscar_fulfillment/locale/ru/LC_MESSAGES/django.mo",
    "oscar_incidents/apps.py",
    "oscar_disputes/apps.py",
)

CHECK = """
import django
from django.conf import settings
from tests import settings as store
settings.configure(**{k: v for k, v in vars(store).items() if k.isupper()} | {"LOCALE_PATHS": []})
django.setup()
import oscar_fulfillment
assert "site-packages" in oscar_fulfillment.__file__, oscar_fulfillment.__file__
from django.core.management import call_command
from django.utils import translation
call_command("check")
from oscar_fulfillment.flows import BRAZIL
for language in ("pt", "fr", "ru"):
    with translation.override(language):
        assert str(BRAZIL.payment.label("awaiting_payment")) != "Awaiting payment", language
"""


def run(*command: str, cwd: pathlib.Path = ROOT) -> None:
    subprocess.run(command, check=True, cwd=cwd)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
        (wheel,) = place.glob("*.whl")
        carried = set(zipfile.ZipFile(wheel).namelist())
        if missing := [name for name in MUST_CARRY if name not in carried]:
            print("the wheel lacks", *missing, sep="\n  ", file=sys.stderr)
            return 1
        if extra := sorted(name for name in carried if name.startswith(("tests/", "sandbox/", "docs/"))):
            print("the wheel carries", *extra[:5], sep="\n  ", file=sys.stderr)
            return 1
        venv.create(place / "env", with_pip=True)
        python = str(place / "env" / "bin" / "python")
        run(python, "-m", "pip", "install", "-q", "-r", str(ROOT / "requirements" / "sandbox.txt"), str(wheel))
        # The store's settings come from the tests, the library only from the wheel.
        (place / "store").mkdir()
        (place / "store" / "tests").symlink_to(ROOT / "tests")
        run(python, "-c", CHECK, cwd=place / "store")
    print(f"{wheel.name}: {len(carried)} files, starts in a fresh environment")
    return 0


if __name__ == "__main__":
    sys.exit(main())
