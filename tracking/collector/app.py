"""The application that granian serves: `/collect`, `/pixel.gif`, `/outward.js`, `/healthz`.

Beside Django `agency.asgi` hands it these paths and the lifespan. Alone it runs as
`granian --interface rsgi --loop uvloop tracking.collector.app:application`. Never with an access
log: its lines hold addresses.
"""

import os

import django
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agency.settings")
if not apps.ready:
    django.setup()

# Their models need Django set up.
from tracking.collector.faces import Application
from tracking.collector.service import Collector

application = Application(Collector())
