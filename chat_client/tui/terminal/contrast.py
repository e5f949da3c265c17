"""Contrast and distance of colours, as people with and without colour-blindness see them.

Contrast is that of WCAG 2. Distance is CIE76, the plain distance in CIELAB. Colour-blindness is simulated in linear RGB
with the matrices of Machado, Oliveira and Fernandes (2009) at full severity.
"""

from functools import lru_cache
from math import dist, hypot
from typing import Literal

Colour = tuple[float, float, float]  # red, green and blue, each from 0 to 1
Vision = Literal["full", "protanopia", "deuteranopia"]
_Rows = tuple[tuple[float, float, float], ...]

VISIONS: dict[Vision, _Rows] = {
    "full": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881),
    ),
}  # fmt: skip
_XYZ: _Rows = (
    (0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041),
)  # fmt: skip
_WHITE = (0.95047, 1.0, 1.08883)  # D65


def colour(hexadecimal: str) -> Colour:
    """The colour of `#1a2b3c`, or of `1a2b3c`."""
    digits = hexadecimal.removeprefix("#")
    red, green, blue = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return red, green, blue


def contrast(one: Colour, other: Colour) -> float:
    """From 1 to 21; text needs 4.5 (AA)."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(of: Colour) -> float:
    red, green, blue = _linear(of)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def distance(one: Colour, other: Colour, vision: Vision = "full") -> float:
    return dist(_lab(one, vision), _lab(other, vision))


def distance_to_all(one: Colour, other: Colour) -> float:
    """The least distance in any vision."""
    return min(distance(one, other, vision) for vision in VISIONS)


def chroma(of: Colour) -> float:
    """How far it is from a grey, which has none."""
    _, a, b = _lab(of, "full")
    return hypot(a, b)


def _linear(of: Colour) -> Colour:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in of)
    return red, green, blue


@lru_cache(maxsize=1024)
def _lab(of: Colour, vision: Vision) -> Colour:
    seen = [min(1.0, max(0.0, part)) for part in _times(VISIONS[vision], _linear(of))]
    x, y, z = (
        _lightness(part / white) for part, white in zip(_times(_XYZ, (seen[0], seen[1], seen[2])), _WHITE, strict=True)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _times(rows: _Rows, of: Colour) -> Colour:
    red, green, blue = (sum(factor * part for factor, part in zip(row, of, strict=True)) for row in rows)
    return red, green, blue


def _lightness(part: float) -> float:
    return float(part ** (1 / 3)) if part > 216 / 24389 else (24389 / 27 * part + 16) / 116
