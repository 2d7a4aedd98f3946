"""A small drawing board for the product pictures: coordinates from 0 to 100, drawn large and scaled down."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageColor, ImageDraw, ImageFilter

SIZE = 800
SCALE = 2
UNIT = SIZE * SCALE / 100
Points = list[tuple[float, float]]


def _px(*values: float) -> list[float]:
    return [value * UNIT for value in values]


class Canvas:
    """Shapes are painted in the order they are called; ``alpha`` (0 to 1) makes one translucent."""

    def __init__(self, background: str, halo: str):
        self.image = Image.new("RGB", (SIZE * SCALE, SIZE * SCALE), background)
        self.oval(14, 10, 86, 82, halo)

    def _paint(self, draw, color: str, alpha: float) -> None:
        if alpha >= 1:
            draw(ImageDraw.Draw(self.image), color)
            return
        mask = Image.new("L", self.image.size, 0)
        draw(ImageDraw.Draw(mask), round(255 * alpha))
        self.image.paste(ImageColor.getrgb(color), mask=mask)

    def shadow(self, x0: float, x1: float, y: float, depth: float = 3.2) -> None:
        """The soft shadow of a thing that stands on ``y`` between ``x0`` and ``x1``."""
        mask = Image.new("L", (SIZE, SIZE), 0)
        half = SIZE / 100
        ImageDraw.Draw(mask).ellipse([x0 * half, (y - depth) * half, x1 * half, (y + depth) * half], fill=72)
        mask = mask.filter(ImageFilter.GaussianBlur(9)).resize(self.image.size)
        self.image.paste((25, 20, 40), mask=mask)

    def rect(self, x0, y0, x1, y1, color: str, radius: float = 0, alpha: float = 1, corners=None) -> None:
        """``corners``: which are round (top left, top right, bottom right, bottom left)."""
        box = _px(x0, y0, x1, y1)
        self._paint(
            lambda draw, fill: draw.rounded_rectangle(box, radius=radius * UNIT, fill=fill, corners=corners),
            color,
            alpha,
        )

    def oval(self, x0, y0, x1, y1, color: str, alpha: float = 1) -> None:
        self._paint(lambda draw, fill: draw.ellipse(_px(x0, y0, x1, y1), fill=fill), color, alpha)

    def dot(self, x, y, radius, color: str, alpha: float = 1) -> None:
        self.oval(x - radius, y - radius, x + radius, y + radius, color, alpha)

    def poly(self, points: Points, color: str, alpha: float = 1) -> None:
        flat = [tuple(_px(*point)) for point in points]
        self._paint(lambda draw, fill: draw.polygon(flat, fill=fill), color, alpha)

    def line(self, points: Points, color: str, width: float, alpha: float = 1) -> None:
        """A line with round ends and corners."""
        flat = [tuple(_px(*point)) for point in points]

        def draw_line(draw, fill):
            draw.line(flat, fill=fill, width=round(width * UNIT), joint="curve")
            radius = width * UNIT / 2
            for x, y in flat:
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=fill)

        self._paint(draw_line, color, alpha)

    def arc(self, x0, y0, x1, y1, start, end, color: str, width: float, alpha: float = 1) -> None:
        """Part of an ellipse's outline; degrees, clockwise from three o'clock."""
        box, thick = _px(x0, y0, x1, y1), round(width * UNIT)
        self._paint(lambda draw, fill: draw.arc(box, start, end, fill=fill, width=thick), color, alpha)

    def pie(self, x0, y0, x1, y1, start, end, color: str, alpha: float = 1) -> None:
        self._paint(lambda draw, fill: draw.pieslice(_px(x0, y0, x1, y1), start, end, fill=fill), color, alpha)

    def webp(self) -> bytes:
        out = BytesIO()
        self.image.resize((SIZE, SIZE), Image.Resampling.LANCZOS).save(out, "WEBP", quality=86, method=4)
        return out.getvalue()
