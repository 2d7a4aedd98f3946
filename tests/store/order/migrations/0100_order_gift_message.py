from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("order", "0021_billingaddress_code_shippingaddress_code")]

    operations = [
        migrations.AddField("order", "gift_message", models.CharField(default="", max_length=200)),
    ]
