"""A Django project: the admin, with users and sessions in SQLite, and an upload.

/admin/           Django's own
/upload  POST     a form with the file "file": its name, size and MD5 as JSON
/words?n=N        N words as they come, streamed

The database is the file that the environment variable DJANGO_SITE_DATABASE names.
"""
