from django.contrib import admin
from django.urls import path

from . import views

urlpatterns = [
    path("", views.books, name="books"),
    path("titles/", views.titles),
    path("books/<int:number>/", views.book, name="book"),
    path("authors.json", views.authors),
    path("admin/", admin.site.urls),
]
