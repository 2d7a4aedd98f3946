from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ("oscar_fulfillment", "0006_parcels_of_shipments"),
    ]

    operations = [
        migrations.RemoveField(
            model_name='shipment',
            name='carrier',
        ),
        migrations.RemoveField(
            model_name='shipment',
            name='tracking_code',
        ),
        migrations.RemoveField(
            model_name='shipment',
            name='tracking_url',
        ),
    ]
