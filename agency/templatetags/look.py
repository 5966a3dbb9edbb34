"""Small graphics drawn by the server as SVG, terms of the glossary, and parts of forms.

SVG carries its sizes in attributes, which a strict Content-Security-Policy allows; a style
attribute it would refuse.
"""

import secrets
from collections.abc import Sequence

from django import template
from django.core.exceptions import NON_FIELD_ERRORS
from django.forms import BaseForm, BoundField
from django.forms.widgets import CheckboxInput, CheckboxSelectMultiple, RadioSelect
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from agency.glossary import Term, find_term

register = template.Library()

Number = float | int | None
WIDTH, HEIGHT = 100.0, 32.0
"""Of the view box; the style sheet stretches it."""
BAR_GAP = 0.2
"""Of a bar's place."""


@register.simple_tag
def sparkline(values: Sequence[Number], words: str = "", css: str = "") -> SafeString:
    """A line over its area, the lowest value of the axis 0; None breaks the line.

    `words` say to those who do not see it what it shows; without them it is decoration.
    """
    top = max((value for value in values if value is not None), default=0) or 1
    step = WIDTH / max(1, len(values) - 1)
    lines, areas = [], []
    for piece in _pieces(values):
        points = [(at * step, HEIGHT - 1 - (HEIGHT - 2) * value / top) for at, value in piece]
        if len(points) == 1:  # a dot: a line of no length with round ends
            points *= 2
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        lines.append((path,))
        areas.append((f"{points[0][0]:.1f},{HEIGHT:.0f} {path} {points[-1][0]:.1f},{HEIGHT:.0f}",))
    return _svg(
        f"sparkline {css}".strip(),
        words,
        format_html_join("", '<polygon class="area" points="{}"/>', areas)
        + format_html_join("", '<polyline class="line" points="{}"/>', lines),
    )


@register.simple_tag
def bars(
    values: Sequence[Number], words: str = "", labels: Sequence[str] = (), css: str = ""
) -> SafeString:
    """Upright bars; a value of 0 is a hair's breadth of grey. `labels` are shown on pointing."""
    top = max((value for value in values if value is not None), default=0) or 1
    place = WIDTH / max(1, len(values))
    drawn = []
    for at, value in enumerate(values):
        height = max(0.6, HEIGHT * (value or 0) / top)
        label = labels[at] if at < len(labels) else ""
        drawn.append(
            (
                "" if value else "is-none",
                f"{place * (at + BAR_GAP / 2):.2f}",
                f"{HEIGHT - height:.2f}",
                f"{place * (1 - BAR_GAP):.2f}",
                f"{height:.2f}",
                format_html("<title>{}</title>", label) if label else "",
            )
        )
    shape = '<rect class="{}" x="{}" y="{}" width="{}" height="{}">{}</rect>'
    return _svg(f"minute-bars {css}".strip(), words, format_html_join("", shape, drawn))


def _pieces(values: Sequence[Number]) -> list[list[tuple[int, float]]]:
    """Runs of values without a gap, with their places."""
    pieces: list[list[tuple[int, float]]] = [[]]
    for at, value in enumerate(values):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append((at, float(value)))
    return [piece for piece in pieces if piece]


def _svg(css: str, words: str, inside: SafeString) -> SafeString:
    role = format_html('role="img" aria-label="{}"', words) if words else 'aria-hidden="true"'
    return format_html(
        '<svg class="{}" viewBox="0 0 {} {}" preserveAspectRatio="none" {}>{}</svg>',
        css,
        int(WIDTH),
        int(HEIGHT),
        SafeString(role),
        inside,
    )


@register.simple_tag
def share_bar(share: Number) -> SafeString:
    """The bar behind a row; `share` 0 to 100, what is outside is cut."""
    width = max(0.0, min(100.0, float(share or 0)))
    return format_html(
        '<svg class="bar" aria-hidden="true"><rect width="{}%" height="100%" rx="3"/></svg>',
        f"{width:.4g}",
    )


@register.simple_tag
def swatch(colour: str) -> SafeString:
    """A colour (#0b6b57) as a small square."""
    return format_html(
        '<svg class="swatch" viewBox="0 0 12 12" aria-hidden="true">'
        '<rect width="12" height="12" rx="3" fill="{}"/></svg>',
        colour,
    )


@register.simple_tag
def meaning_of(slug: str) -> Term | None:
    """The glossary's entry; None for a word it does not know."""
    return find_term(slug)


@register.simple_tag
def unique_id(stem: str) -> str:
    """An id that no other element of the page has, whichever partials it is made of."""
    return f"{stem}-{secrets.token_hex(4)}"


@register.filter
def is_box(field: BoundField) -> bool:
    """Whether the field is one box to tick, which stands before its words."""
    return isinstance(field.field.widget, CheckboxInput)


@register.filter
def is_group(field: BoundField) -> bool:
    """Whether the field is several boxes, so that it needs a legend instead of a label."""
    return isinstance(field.field.widget, RadioSelect | CheckboxSelectMultiple)


@register.filter
def is_multiple(field: BoundField) -> bool:
    """Whether any number of boxes may be ticked, none included."""
    return isinstance(field.field.widget, CheckboxSelectMultiple)


@register.filter
def has_field_errors(form: BaseForm) -> bool:
    """Whether some error belongs to a field, not to the form as a whole."""
    return any(name != NON_FIELD_ERRORS for name in form.errors)


TONES = {"debug": "info", "info": "info", "success": "good", "warning": "warning", "error": "bad"}


@register.filter
def tone_of(level_tag: str) -> str:
    """Tone of a notice for a message's level."""
    return TONES.get(level_tag, "info")
