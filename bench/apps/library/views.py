from django.core.paginator import Paginator
from django.db.models import Count
from django.http import JsonResponse
from django.shortcuts import get_object_or_404, render

from .models import Author, Book

PAGE = 25


def books(request):
    found = Book.objects.select_related("author").prefetch_related("subjects")
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    return render(request, "library/books.html", {"page": page})


def titles(request):
    return render(request, "library/titles.html", {"books": Book.objects.all()[:20]})


def book(request, number):
    found = get_object_or_404(Book.objects.select_related("author"), pk=number)
    others = found.author.books.exclude(pk=number)
    return render(request, "library/book.html", {"book": found, "others": others})


def authors(request):
    counted = Author.objects.annotate(number=Count("books"))
    return JsonResponse({author.name: author.number for author in counted})
