from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=100)
    born = models.PositiveIntegerField()

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name


class Subject(models.Model):
    name = models.CharField(max_length=50, unique=True)

    def __str__(self):
        return self.name


class Book(models.Model):
    title = models.CharField(max_length=200)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    subjects = models.ManyToManyField(Subject, related_name="books")
    published = models.DateField()
    price = models.DecimalField(max_digits=6, decimal_places=2)

    class Meta:
        ordering = ["title"]

    def __str__(self):
        return self.title


class Loan(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="loans")
    reader = models.CharField(max_length=100)
    lent = models.DateTimeField()
    returned = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-lent"]
