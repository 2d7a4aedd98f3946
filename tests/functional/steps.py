"""The order page as a test client uses it: open a step's form, fill it in, send it."""

from django.urls import reverse


def page_url(order, name="order-detail", **kwargs):
    return reverse(f"dashboard:{name}", kwargs={"number": order.number, **kwargs})


def step_url(order, action):
    return page_url(order, "order-step", action=action)


def form_data(client, url, **typed):
    """What a browser would send: the form's present values, with what was typed."""
    response = client.get(url)
    assert response.status_code == 200, response.status_code
    form = response.context["panel"]["form"]
    found = {}
    for field in form:
        value = field.value()
        if value is not None and value is not False:
            found[field.html_name] = value
    return {**found, **typed}


def take(client, order, action, **typed):
    """Take a step by its form; the response."""
    url = step_url(order, action)
    return client.post(url, form_data(client, url, **typed))


def text_of(response):
    return " ".join(response.content.decode().split())


def said(client, response):
    """The messages the person reads after the redirect."""
    assert response.status_code == 302, text_of(response)
    return [str(message) for message in client.get(response.url).context["messages"]]
