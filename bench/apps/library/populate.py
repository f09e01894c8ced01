"""Makes the tables and fills them, with the same rows each time."""
import datetime

# The application first: it configures Django.
from . import wsgi  # noqa: F401
from django.core.management import call_command
from django.utils import timezone

from .models import Author, Book, Loan, Subject

WORDS = "river stone lamp winter garden letter bridge shadow island clock harbour mirror".split()
EPOCH = timezone.make_aware(datetime.datetime(2020, 1, 1))


def populate():
    call_command("migrate", verbosity=0)
    subjects = [Subject.objects.create(name=word) for word in WORDS]
    authors = [Author.objects.create(name=f"{word.title()} Writer", born=1900 + 7 * number)
               for number, word in enumerate(WORDS)]
    for number in range(200):
        first, second = WORDS[number % 12], WORDS[(number * 5 + 1) % 12]
        book = Book.objects.create(
            title=f"The {first} and the {second}, volume {number // 12 + 1}",
            author=authors[number * 7 % 12],
            published=datetime.date(1950 + number % 70, 1 + number % 12, 1 + number % 28),
            price=f"{5 + number % 40}.90",
        )
        book.subjects.set([subjects[number % 12], subjects[number * 5 % 12]])
        for loan in range(number % 4):
            lent = EPOCH + datetime.timedelta(days=number + 30 * loan)
            returned = lent + datetime.timedelta(days=14) if loan else None
            Loan.objects.create(book=book, reader=f"Reader {loan}", lent=lent, returned=returned)


if __name__ == "__main__":
    populate()
