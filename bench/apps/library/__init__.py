"""A Django project of ordinary size: a library's catalogue with the admin, in SQLite.

/                 the books with their authors, a page of 25 (?page=N)
/books/ID/        one book, its loans, and what else its author wrote
/authors.json     the authors and how many books each has
/admin/           Django's own

The database is the file that the environment variable LIBRARY_DATABASE names; `populate` fills it.
X-Process tells which process answered, X-Python which Python that was.
"""
