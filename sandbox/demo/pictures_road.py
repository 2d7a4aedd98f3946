"""Pictures of the things for the desk and the road."""

from __future__ import annotations

from .canvas import Canvas
from .pictures_table import CLAY, CREAM, INK, MINT, PLUM, STEEL, SUN, TEAL, WOOD


def notebook(c: Canvas) -> None:
    c.shadow(24, 80, 86)
    c.rect(29, 18, 78, 86, "#f3eadb", 3)
    c.rect(24, 16, 74, 84, TEAL, 4)
    c.rect(24, 16, 32, 84, "#17605e", 4, corners=(True, False, False, True))
    c.rect(64, 16, 67, 84, SUN)
    c.rect(38, 30, 58, 42, CREAM, 1.5)
    c.line([(41, 34), (55, 34)], INK, 0.9)
    c.line([(41, 38), (50, 38)], INK, 0.9)
    c.poly([(44, 84), (49, 84), (49, 94), (46.5, 91), (44, 94)], CLAY)


def pencils(c: Canvas) -> None:
    c.shadow(26, 76, 86)
    for x, top, color in ((33, 26, CLAY), (42, 16, SUN), (51, 22, TEAL), (60, 14, PLUM), (69, 24, MINT)):
        c.rect(x - 3.4, top + 10, x + 3.4, 70, color)
        c.rect(x + 1, top + 10, x + 3.4, 70, INK, 0, 0.14)
        c.poly([(x - 3.4, top + 10), (x + 3.4, top + 10), (x, top)], "#f1d9b5")
        c.poly([(x - 1.2, top + 3.6), (x + 1.2, top + 3.6), (x, top)], color)
    c.rect(26, 50, 76, 86, CREAM, 3)
    c.rect(26, 56, 76, 62, INK)
    c.rect(45, 68, 57, 80, "#ead9bd", 6)
    c.dot(51, 74, 3, CLAY)


def pen(c: Canvas) -> None:
    c.shadow(20, 82, 80)
    c.rect(14, 72, 60, 76, "#ffffff", 2, 0.6)
    c.line([(38, 62), (78, 22)], INK, 8)
    c.line([(36.5, 60.5), (76, 21)], "#4a4670", 2)
    c.line([(56, 44), (52, 48)], SUN, 8.4)
    c.line([(72, 20), (60, 32)], SUN, 1.6)
    c.poly([(33, 61), (39, 67), (22, 78)], SUN)
    c.line([(22, 78), (33, 67)], INK, 0.8)
    c.line([(22, 78), (30, 80), (38, 77), (46, 80), (56, 78)], TEAL, 1.2)


def mug(c: Canvas) -> None:
    c.shadow(24, 80, 84)
    c.arc(56, 42, 84, 72, 265, 95, CREAM, 5)
    c.rect(26, 32, 68, 84, CREAM, 7, corners=(False, False, True, True))
    c.rect(58, 34, 68, 84, "#e6d9c3", 7, corners=(False, False, True, False))
    c.oval(26, 27, 68, 38, "#e6d9c3")
    c.oval(29, 29, 65, 37, "#7a4a2c")
    c.dot(40, 56, 4, INK)
    c.dot(54, 56, 4, CLAY)
    c.line([(54, 58), (52, 66)], CLAY, 3.4)
    c.dot(40, 67, 4, INK)


def headphones(c: Canvas) -> None:
    c.shadow(24, 76, 86)
    c.arc(20, 14, 80, 82, 180, 360, INK, 6)
    c.arc(23, 17, 77, 79, 200, 250, "#5d5980", 1.6)
    for x, inner in ((16, 26), (68, 70)):
        c.rect(x, 48, x + 16, 82, CLAY, 8)
        c.rect(inner, 50, inner + 4, 80, INK, 2)
    c.rect(18, 54, 21, 74, "#ffffff", 1.5, 0.3)


def keyboard(c: Canvas) -> None:
    c.shadow(10, 90, 74)
    c.rect(8, 32, 92, 74, "#e9e4f1", 5)
    c.rect(8, 70, 92, 75, "#cfc7de", 3)
    for row, (start, count) in enumerate(((12, 10), (14, 10), (16, 9))):
        for column in range(count):
            x, y = start + column * 7.6, 37 + row * 8.6
            color = CLAY if (row, column) == (0, 0) else SUN if (row, column) == (1, 9) else "#ffffff"
            c.rect(x, y, x + 6.2, y + 7, color, 1.4)
    c.rect(30, 62.8, 68, 68.6, TEAL, 1.4)
    for x in (13, 21.5, 71, 79.5):
        c.rect(x, 62.8, x + 7, 68.6, "#ffffff", 1.4)


def backpack(c: Canvas) -> None:
    c.shadow(24, 76, 88)
    c.arc(40, 8, 60, 30, 180, 360, INK, 3)
    c.rect(18, 52, 30, 82, "#17605e", 5)
    c.rect(70, 52, 82, 82, "#17605e", 5)
    c.rect(25, 17, 75, 88, TEAL, 17)
    c.rect(25, 34, 75, 37, INK, 0, 0.25)
    c.rect(31, 52, 69, 82, "#2a918e", 6)
    c.rect(31, 58, 69, 60, INK, 0, 0.3)
    for x in (38, 58):
        c.rect(x, 34, x + 4, 60, WOOD, 1)
        c.rect(x - 0.6, 46, x + 4.6, 50, SUN, 1)
    c.dot(50, 70, 4, CREAM)


def bottle(c: Canvas) -> None:
    c.shadow(36, 66, 88)
    c.rect(42, 10, 60, 20, INK, 2.5)
    c.arc(44, 2, 58, 16, 180, 360, INK, 2.2)
    c.rect(44, 19, 58, 28, STEEL, 1)
    c.rect(35, 26, 67, 88, CLAY, 9)
    c.rect(57, 28, 67, 86, INK, 6, 0.15)
    c.rect(35, 50, 67, 66, CREAM)
    c.poly([(40, 66), (48, 54), (54, 61), (57, 57), (63, 66)], TEAL)
    c.dot(58, 54.5, 2, SUN)
    c.rect(39, 31, 42, 82, "#ffffff", 1.5, 0.3)


def tent(c: Canvas) -> None:
    c.rect(0, 78, 100, 100, "#8fc7a4")
    c.poly([(50, 20), (92, 80), (8, 80)], SUN)
    c.poly([(50, 20), (92, 80), (66, 80)], "#d99a2b")
    c.poly([(50, 20), (62, 80), (34, 80)], INK)
    c.poly([(50, 20), (34, 80), (27, 80)], CREAM)
    c.line([(50, 20), (50, 12)], INK, 1.2)
    c.poly([(50, 11), (60, 14), (50, 17)], CLAY)
    c.line([(8, 80), (2, 84)], INK, 0.8)
    c.line([(92, 80), (98, 84)], INK, 0.8)
    c.dot(82, 18, 5, CREAM)


def umbrella(c: Canvas) -> None:
    c.shadow(36, 66, 90)
    c.line([(50, 20), (50, 82)], INK, 2)
    c.arc(50, 74, 62, 90, 0, 180, WOOD, 3.4)
    c.pie(12, 16, 88, 92, 180, 360, PLUM)
    c.pie(30, 16, 70, 92, 180, 360, CLAY)
    c.pie(43, 16, 57, 92, 180, 360, SUN)
    for x in (12, 31, 50, 69):
        c.oval(x, 49.5, x + 19, 60, "#edf4fa")
    c.line([(50, 11), (50, 18)], INK, 1.6)
    c.line([(50, 50), (50, 82)], INK, 2)


def suitcase(c: Canvas) -> None:
    c.shadow(18, 82, 86)
    c.line([(40, 26), (40, 14), (60, 14), (60, 26)], STEEL, 2.4)
    c.rect(18, 26, 82, 84, CLAY, 7)
    for x in (30, 42, 54, 66):
        c.rect(x, 26, x + 3, 84, INK, 0, 0.13)
    c.rect(18, 50, 82, 56, INK, 0, 0.2)
    c.rect(44, 47, 56, 59, SUN, 2)
    c.dot(50, 53, 1.6, INK)
    for x, y in ((18, 26), (74, 26), (18, 76), (74, 76)):
        c.rect(x, y, x + 8, y + 8, "#a8441f", 3)
    for x in (27, 73):
        c.dot(x, 86, 3, INK)


def headlamp(c: Canvas) -> None:
    c.poly([(50, 50), (100, 22), (100, 86)], "#fff3c4", 0.7)
    c.shadow(20, 72, 82)
    c.arc(12, 26, 76, 78, 30, 330, PLUM, 8)
    c.arc(12, 26, 76, 78, 190, 250, SUN, 8)
    c.rect(50, 36, 76, 68, INK, 7)
    c.dot(65, 52, 11, STEEL)
    c.dot(65, 52, 8, "#ffe27a")
    c.dot(62, 49, 2.6, "#ffffff")
    c.rect(54, 33, 62, 37, CLAY, 1)
