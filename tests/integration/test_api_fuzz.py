"""Any call that the OpenAPI document allows, and many that it does not: answered as the document says, never by 500."""

import json
import re
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oscar_fulfillment.api.openapi import document
from oscar_fulfillment.api.shapes import check
from oscar_fulfillment.models import Invoice
from oscar_fulfillment.test import factories
from oscar_fulfillment.test.fiscal import make_key

from .api import Caller

pytestmark = [pytest.mark.django_db, pytest.mark.feature("A10")]

DOCUMENT = document()
CALLS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]
PROBLEM = DOCUMENT["components"]["schemas"]["Problem"]
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
#: Whatever JSON may be.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
#: Names that are there, so that calls get further than 404.
KNOWN = {"number": ["T1", "T2", "T3"], "invoice": ["7", make_key(number=7), "0"], "sku": ["MUG", "a/b", "CUP"]}


def fitting(schema):
    """Values that hold to a schema of the document."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([_fitting(schema, kind) for kind in kinds])


def _fitting(schema, kind):
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if kind == "null":
        return st.none()
    if kind == "boolean":
        return st.booleans()
    if kind == "number":
        return st.floats(allow_nan=False, allow_infinity=False)
    if kind == "integer":
        return st.integers(schema.get("minimum"), schema.get("maximum"))
    if kind == "array":
        return st.lists(fitting(schema["items"]), min_size=schema.get("minItems", 0), max_size=3)
    if kind == "object":
        known = schema.get("properties", {})
        needed = {name: fitting(known[name]) for name in schema.get("required", ())}
        more = {name: fitting(each) for name, each in known.items() if name not in needed}
        return st.fixed_dictionaries(needed, optional=more)
    if schema.get("format") == "date-time":
        return st.datetimes().map(lambda at: at.isoformat() + "Z")
    if re.fullmatch(schema.get("pattern", ""), "7") and schema.get("maxLength", 99) < 20 and "0-9" in schema["pattern"]:
        return st.integers(0, 10**9).map(str)
    plain = st.text(
        string.printable, min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 30), 30)
    )
    keys = st.sampled_from([make_key(number=7), "0" * 44, "0", "T1", "MUG", "7", "AA123456785BR", "correios"])
    return (keys | plain | WORDS).filter(lambda text: not check(schema, text))


@st.composite
def calls(draw):
    path, method = draw(st.sampled_from(CALLS))
    operation = DOCUMENT["paths"][path][method]
    filled = path
    for name, names in KNOWN.items():
        value = draw(st.sampled_from(names) | st.text(string.ascii_letters + "%/.é ", min_size=1, max_size=10))
        filled = filled.replace("{" + name + "}", value)
    query = {
        each["name"]: draw(st.one_of(fitting(each["schema"]).map(str), WORDS))
        for each in operation["parameters"]
        if each["in"] == "query" and draw(st.booleans())
    }
    body = None
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        body = draw(st.one_of(fitting(schema), fitting(schema), JSON))
        if isinstance(body, dict) and draw(st.integers(0, 3)) == 0:
            body = {**body, **draw(st.dictionaries(st.sampled_from(sorted(schema["properties"])), JSON, max_size=2))}
    key = draw(st.none() | st.sampled_from(["a", "b"]) | st.text(string.printable.strip(), max_size=5))
    return path, method, filled, query, body, key


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(calls())
def test_every_call_is_answered_as_the_document_says(world, call):
    path, method, filled, query, body, key = call
    operation = DOCUMENT["paths"][path][method]
    raw = None if body is None else json.dumps(body).encode()
    headers = {} if key is None else {"Idempotency_Key": key}
    from urllib.parse import quote, urlencode

    answer = world.call(method.upper(), f"{quote(filled, safe='/%')}?{urlencode(query)}", raw=raw, **headers)
    said = operation["responses"]
    assert str(answer.status_code) in {*said, "404"} - {"500"}, (answer.status_code, answer.content)
    found = answer.json()
    if answer.status_code == 200:
        # A path that was filled otherwise may be another one: its answer is checked there.
        if filled.count("/") == path.count("/"):
            schema = said["200"]["content"]["application/json"]["schema"]
            assert check(schema, found) == []
    else:
        assert answer["Content-Type"].startswith("application/problem+json")
        assert check(PROBLEM, found) == []
        assert found["status"] == answer.status_code


@pytest.fixture
def world(settings):
    """A shop with an order in each of three places, and a caller who may do everything."""
    generous = {"rate": 10_000_000, "burst": 1_000_000}
    settings.OSCAR_FULFILLMENT = {**settings.OSCAR_FULFILLMENT, "API": generous}
    erp = Caller()
    goods = [(factories.product(sku="MUG", stock=500), 2)]
    factories.paid_order(number="T1", lines=goods)
    factories.released_order(number="T2", lines=goods)
    factories.invoiced_order(number="T3", lines=goods)
    erp.offered()
    return erp


def test_a_valid_document_of_an_invoice_is_taken(world):
    """The fuzz would be worth nothing if it never got through."""
    assert world.post("/orders/T2/invoice", {"invoiceKey": make_key(number=7), "items": []}).status_code == 200
    assert Invoice.objects.filter(fulfillment__number="T2").count() == 1


def test_the_document_and_the_checks_are_one():
    operation = DOCUMENT["paths"]["/stock/{sku}"]["put"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert check(schema, {"num_in_stock": 1}) == []
    assert check(schema, {}) == [("/num_in_stock", "This is missing.")]
