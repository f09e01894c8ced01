import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "polls.settings"
# The project is used where it was copied to, with its database beside it.
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.environ.setdefault("POLLS_DATABASE", os.path.join(HERE, "polls.sqlite3"))

application = get_wsgi_application()
