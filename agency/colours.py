"""The client's accent colour, made to fit light and dark paper.

Contrast is WCAG 2.2's relative luminance ratio (1.4.3): text in the accent colour must reach 4.5 on
every paper it may stand on, its own pale tint included. The papers are those of
`static/css/tokens.css`.
"""

from collections.abc import Sequence

Rgb = tuple[float, float, float]

LIGHT_PAPER: Rgb = (255, 255, 255)
LIGHT_PAPERS: tuple[Rgb, ...] = (LIGHT_PAPER, (247, 247, 244), (238, 238, 234))
DARK_PAPER: Rgb = (18, 21, 20)
DARK_PAPERS: tuple[Rgb, ...] = (DARK_PAPER, (26, 30, 29), (36, 41, 40))
SOFT_LIGHT, SOFT_DARK = 0.92, 0.88
BAR_LIGHT, BAR_DARK = 0.86, 0.76
"""How much paper is in the tints of notices and of bars."""
WHITE: Rgb = (255, 255, 255)
BLACK: Rgb = (0, 0, 0)
READABLE = 4.5


def parse_colour(text: str) -> Rgb:
    """#0b6b57 as red, green, blue from 0 to 255; raises ValueError for another form."""
    if len(text) != 7 or text[0] != "#":
        raise ValueError(f"{text!r} is not a colour: write it as #0b6b57.")
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def write_colour(colour: Rgb) -> str:
    """#0b6b57."""
    return "#" + "".join(f"{round(part):02x}" for part in colour)


def mix(one: Rgb, other: Rgb, share: float) -> Rgb:
    """`share` of the other colour (0 to 1), the rest of the one."""
    red, green, blue = (a + (b - a) * share for a, b in zip(one, other, strict=True))
    return red, green, blue


def luminance(colour: Rgb) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2)."""
    red, green, blue = (
        part / 255 / 12.92 if part <= 10.31 else ((part / 255 + 0.055) / 1.055) ** 2.4
        for part in colour
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Rgb, other: Rgb) -> float:
    """Contrast ratio, 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def readable(colour: Rgb, papers: Sequence[Rgb], towards: Rgb, soft: float) -> Rgb:
    """The colour, mixed with `towards` until text in it can be read on each of the papers.

    `soft`: the share of the first paper in its own tint, which counts as a paper too.
    """
    for step in range(41):
        mixed = mix(colour, towards, step / 40)
        grounds = (*papers, mix(mixed, papers[0], soft))
        if all(contrast(mixed, ground) >= READABLE for ground in grounds):
            return mixed
    return towards


def ink_on(colour: Rgb) -> Rgb:
    """White or nearly black, whichever can be read on the colour (white if both can)."""
    return WHITE if contrast(colour, WHITE) >= READABLE else DARK_PAPER


def accents(colour: Rgb) -> tuple[Rgb, Rgb]:
    """The accent as it is used on light paper, and on dark."""
    return (
        readable(colour, LIGHT_PAPERS, BLACK, SOFT_LIGHT),
        readable(mix(colour, WHITE, 0.25), DARK_PAPERS, WHITE, SOFT_DARK),
    )


def accent_style(text: str) -> str:
    """Style sheet that sets the accent's custom properties for light and dark."""
    light, dark = accents(parse_colour(text))
    properties = {
        "accent": (light, dark),
        "accent-ink": (ink_on(light), ink_on(dark)),
        "accent-soft": (mix(light, LIGHT_PAPER, SOFT_LIGHT), mix(dark, DARK_PAPER, SOFT_DARK)),
        "bar": (mix(light, LIGHT_PAPER, BAR_LIGHT), mix(dark, DARK_PAPER, BAR_DARK)),
    }
    rules = ";".join(
        f"--{name}:light-dark({write_colour(day)},{write_colour(night)})"
        for name, (day, night) in properties.items()
    )
    return f":root{{{rules}}}"


def accent_mark(text: str, name: str) -> str:
    """SVG of a square in the accent, with the name's first letter or figure."""
    colour, _ = accents(parse_colour(text))
    letter = next((sign for sign in name if sign.isalnum()), "").upper()
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
        f'<rect width="32" height="32" rx="7" fill="{write_colour(colour)}"/>'
        '<text x="16" y="23" text-anchor="middle" font-family="system-ui,sans-serif" '
        f'font-size="20" font-weight="700" fill="{write_colour(ink_on(colour))}">{letter}</text>'
        "</svg>"
    )
