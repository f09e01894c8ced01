from django.contrib import admin

from .models import Choice, Question


class ChoiceInline(admin.TabularInline):
    model = Choice


@admin.register(Question)
class QuestionAdmin(admin.ModelAdmin):
    list_display = ["text", "published"]
    list_filter = ["published"]
    search_fields = ["text"]
    inlines = [ChoiceInline]
