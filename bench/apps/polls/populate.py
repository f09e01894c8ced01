"""Makes the tables and fills them, with the same rows each time."""
import datetime

# The application first: it configures Django.
from . import wsgi  # noqa: F401
from django.core.management import call_command
from django.utils import timezone

from .models import Question

EPOCH = timezone.make_aware(datetime.datetime(2020, 1, 1))
CHOICES = ["Yes", "No", "Perhaps"]


def populate():
    call_command("migrate", verbosity=0)
    for number in range(20):
        published = EPOCH + datetime.timedelta(days=number)
        question = Question.objects.create(text=f"Question {number + 1}?", published=published)
        for place, text in enumerate(CHOICES):
            question.choices.create(text=text, votes=(number * 7 + place * 3) % 11)


if __name__ == "__main__":
    populate()
