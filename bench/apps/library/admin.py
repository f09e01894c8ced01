from django.contrib import admin

from .models import Author, Book, Loan, Subject


class LoanInline(admin.TabularInline):
    model = Loan
    extra = 0


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    list_display = ["title", "author", "published", "price"]
    list_filter = ["subjects", "published"]
    search_fields = ["title", "author__name"]
    inlines = [LoanInline]


admin.site.register([Author, Subject])
