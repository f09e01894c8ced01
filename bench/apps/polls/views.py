from django.shortcuts import get_object_or_404, render

from .models import Question

NEWEST = 5


def index(request):
    newest = Question.objects.order_by("-published")[:NEWEST]
    return render(request, "polls/index.html", {"questions": newest})


def detail(request, number):
    question = get_object_or_404(Question, pk=number)
    return render(request, "polls/detail.html", {"question": question})


def results(request, number):
    question = get_object_or_404(Question, pk=number)
    return render(request, "polls/results.html", {"question": question})
