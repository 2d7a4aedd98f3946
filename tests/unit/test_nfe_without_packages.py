"""Without the extra [nfe] the shop works, and says what to install where notes are read."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.feature("Z5")

SCRIPT = """
import sys
for name in ("lxml", "cryptography"):
    sys.modules[name] = None
import pkgutil, importlib, os
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django
django.setup()
from django.core.management import call_command
from django.urls import reverse
import oscar_fulfillment
for found in pkgutil.walk_packages(oscar_fulfillment.__path__, "oscar_fulfillment."):
    if ".test." not in found.name and ".migrations" not in found.name and ".management" not in found.name:
        importlib.import_module(found.name)
assert reverse("dashboard:order-notes")
from oscar_fulfillment.services import nfe_imports
from oscar_fulfillment.core.exceptions import InvalidInput
try:
    nfe_imports.check_installed()
except InvalidInput as error:
    print(error)
call_command("check")
"""


def test_everything_is_imported_without_the_packages_and_they_are_named():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert 'lxml, cryptography is missing. Install it with: pip install "django-oscar-fulfillment[nfe]"' in done.stdout
