"""The client's accent colour, made to fit light and dark paper.

Contrast is WCAG 2.2's relative luminance ratio (1.4.3): text in the accent colour must reach 4.5.
"""

Rgb = tuple[float, float, float]

LIGHT_PAPER: Rgb = (255, 255, 255)
DARK_PAPER: Rgb = (20, 23, 22)
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


def readable(colour: Rgb, paper: Rgb, towards: Rgb) -> Rgb:
    """The colour, mixed with `towards` until text in it can be read on the paper."""
    for step in range(21):
        mixed = mix(colour, towards, step / 20)
        if contrast(mixed, paper) >= READABLE:
            return mixed
    return towards


def accent_style(text: str) -> str:
    """Style sheet that sets the accent's custom properties for light and dark."""
    colour = parse_colour(text)
    light = readable(colour, LIGHT_PAPER, BLACK)
    dark = readable(mix(colour, WHITE, 0.25), DARK_PAPER, WHITE)

    def properties(accent: Rgb, paper: Rgb, share: float) -> str:
        ink = WHITE if contrast(accent, WHITE) >= READABLE else DARK_PAPER
        return (
            f"--accent:{write_colour(accent)};--accent-ink:{write_colour(ink)};"
            f"--bar:{write_colour(mix(accent, paper, share))}"
        )

    return (
        f":root{{{properties(light, LIGHT_PAPER, 0.86)}}}"
        f"@media (prefers-color-scheme:dark){{:root{{{properties(dark, DARK_PAPER, 0.76)}}}}}"
    )
