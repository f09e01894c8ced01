"""Those of the other project, with an application and a database of its own."""
import os

from polls.settings import *  # noqa: F403

ROOT_URLCONF = "library.urls"
WSGI_APPLICATION = "library.wsgi.application"
INSTALLED_APPS = [*INSTALLED_APPS[:-1], "library"]  # noqa: F405
DATABASES = {"default": {**DATABASES["default"], "NAME": os.environ["LIBRARY_DATABASE"]}}  # noqa: F405
