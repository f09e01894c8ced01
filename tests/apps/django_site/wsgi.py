import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "django_site.settings"
# For the pages that need no database.
os.environ.setdefault("DJANGO_SITE_DATABASE", ":memory:")

application = get_wsgi_application()
