"""A Django project as `django-admin startproject` makes it, with one small application: polls.

/                 the newest questions
/ID/              one question and its choices
/ID/results/      how often each was chosen
/admin/           Django's own

The database is the file that the environment variable POLLS_DATABASE names; `populate` fills it.
X-Process tells which process answered, X-Python which Python that was.
"""
