"""The carrier, code and link of a shipment become its first parcel."""

from django.db import migrations

CHUNK = 2000


def make_parcels(apps, schema_editor):
    Shipment, Parcel = apps.get_model("oscar_fulfillment", "Shipment"), apps.get_model("oscar_fulfillment", "Parcel")
    alias = schema_editor.connection.alias
    named = Shipment.objects.using(alias).exclude(carrier="", tracking_code="").order_by("pk")
    last = 0
    while chunk := list(named.filter(pk__gt=last)[:CHUNK]):
        Parcel.objects.using(alias).bulk_create(
            Parcel(
                shipment_id=shipment.pk,
                number=1,
                status=shipment.status,
                carrier=shipment.carrier,
                tracking_code=shipment.tracking_code,
                tracking_url=shipment.tracking_url,
                dispatched_at=shipment.dispatched_at,
                delivered_at=shipment.delivered_at,
            )
            for shipment in chunk
        )
        last = chunk[-1].pk


def name_shipments(apps, schema_editor):
    """Back: the first parcel's words on its shipment; further parcels are lost."""
    Shipment, Parcel = apps.get_model("oscar_fulfillment", "Shipment"), apps.get_model("oscar_fulfillment", "Parcel")
    alias = schema_editor.connection.alias
    last = 0
    firsts = Parcel.objects.using(alias).filter(number=1).order_by("pk")
    while chunk := list(firsts.filter(pk__gt=last)[:CHUNK]):
        Shipment.objects.using(alias).bulk_update(
            [
                Shipment(
                    pk=parcel.shipment_id,
                    carrier=parcel.carrier,
                    tracking_code=parcel.tracking_code,
                    tracking_url=parcel.tracking_url,
                )
                for parcel in chunk
            ],
            ["carrier", "tracking_code", "tracking_url"],
        )
        last = chunk[-1].pk


class Migration(migrations.Migration):

    dependencies = [
        ("oscar_fulfillment", "0005_shipping"),
    ]

    operations = [
        migrations.RunPython(make_parcels, name_shipments),
    ]
