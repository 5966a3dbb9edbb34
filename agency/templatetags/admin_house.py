"""What the admin's own templates print."""

from django import template

from agency.operations import span_words

register = template.Library()


@register.filter
def span(seconds: float) -> str:
    """Seconds in the largest fitting unit: *1.5 min*."""
    return span_words(seconds)
