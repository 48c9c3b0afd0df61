from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('storages', '0007_drafts'),
    ]

    operations = [
        migrations.CreateModel(
            name='ExportTrace',
            fields=[
                ('pk', models.CompositePrimaryKey('organization_id', 'place', 'key_digest', blank=True, editable=False, primary_key=True, serialize=False)),
                ('organization_id', models.BigIntegerField()),
                ('place', models.BinaryField(help_text='digest of the place that the object was written to', max_length=16)),
                ('key_digest', models.BinaryField(max_length=16)),
            ],
        ),
    ]
