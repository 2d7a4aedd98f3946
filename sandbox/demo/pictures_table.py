"""Pictures of the things for the table and the home."""

from __future__ import annotations

from .canvas import Canvas

INK, CREAM, CLAY, TEAL, PLUM, SUN, MINT, STEEL, WOOD = (
    "#26233b", "#fff8ec", "#d8643c", "#1f7a78", "#5b3a73", "#f2b441", "#a9d8c3", "#b9c2cf", "#b9814f",
)  # fmt: skip


def dripper(c: Canvas) -> None:
    c.shadow(28, 72, 84)
    c.rect(32, 50, 68, 84, "#dbe9ee", 10)
    c.rect(34, 66, 66, 82, "#6b3f26", 8)
    c.arc(62, 54, 82, 76, 270, 90, "#dbe9ee", 3.2)
    c.rect(30, 46, 70, 51, INK, 2)
    c.poly([(26, 22), (74, 22), (58, 46), (42, 46)], CLAY)
    c.poly([(26, 22), (74, 22), (71, 26), (29, 26)], "#ef8a63")
    for x in (40, 50, 60):
        c.line([(x, 29), (50 + (x - 50) * 0.55, 43)], "#b94f2b", 0.9)
    c.arc(66, 25, 82, 40, 250, 100, CLAY, 3)
    c.rect(38, 55, 42, 78, "#ffffff", 2, 0.45)


def espresso_cup(c: Canvas) -> None:
    c.shadow(18, 82, 76)
    c.oval(18, 66, 82, 80, "#f7efe2")
    c.oval(24, 67, 76, 77, "#e5d8c4")
    c.arc(60, 40, 82, 62, 250, 110, CLAY, 4)
    c.rect(30, 36, 70, 72, CLAY, 16, corners=(False, False, True, True))
    c.oval(30, 31, 70, 42, "#ef8a63")
    c.oval(33, 33, 67, 41, "#4a2a1a")
    c.oval(40, 35, 56, 39, "#b9814f", 0.8)
    c.rect(35, 44, 39, 62, "#ffffff", 2, 0.28)
    for x in (42, 50, 58):
        c.line([(x, 26), (x + 2, 22), (x - 1, 18), (x + 1, 13)], "#ffffff", 1.5, 0.8)


def french_press(c: Canvas) -> None:
    c.shadow(28, 72, 86)
    c.line([(50, 12), (50, 26)], STEEL, 2)
    c.dot(50, 11, 4, INK)
    c.arc(60, 34, 86, 74, 270, 90, INK, 4)
    c.rect(31, 26, 69, 32, INK, 3)
    c.rect(33, 32, 67, 84, "#e6f0f2", 3)
    c.rect(35, 48, 65, 82, "#5a321d", 2)
    c.rect(35, 46, 65, 49, "#c79a6b", 1)
    c.rect(31, 56, 69, 60, STEEL, 1)
    c.rect(31, 80, 69, 86, STEEL, 2)
    c.rect(31, 34, 34, 84, STEEL, 1)
    c.rect(66, 34, 69, 84, STEEL, 1)
    c.rect(39, 36, 42, 78, "#ffffff", 1.5, 0.4)


def coffee_bag(c: Canvas) -> None:
    c.shadow(26, 74, 86)
    c.poly([(30, 20), (70, 20), (74, 86), (26, 86)], TEAL)
    c.poly([(62, 20), (70, 20), (74, 86), (66, 86)], INK, 0.22)
    c.rect(29, 14, 71, 22, "#17605e", 1.5)
    c.rect(24, 15, 76, 17.5, SUN, 1)
    c.rect(34, 38, 66, 72, CREAM, 3)
    for x, y in ((44, 48), (56, 53), (46, 61)):
        c.oval(x - 5, y - 3.6, x + 5, y + 3.6, "#6b3f26")
        c.arc(x - 7, y - 5, x + 3, y + 3, 10, 70, "#d7b48d", 0.9)
    c.rect(40, 66, 60, 68, CLAY, 1)


def tea_tin(c: Canvas) -> None:
    c.shadow(27, 73, 84)
    c.rect(29, 36, 71, 82, PLUM, 3)
    c.oval(29, 77, 71, 87, PLUM)
    c.rect(29, 30, 71, 40, "#7b5596", 1)
    c.oval(29, 24, 71, 35, "#9370ab")
    c.oval(44, 26, 56, 31, "#7b5596")
    c.rect(29, 50, 71, 70, CREAM)
    c.poly([(50, 66), (40, 59), (44, 52.5), (50, 56)], TEAL)
    c.poly([(50, 66), (60, 59), (56, 52.5), (50, 56)], "#2f9a8f")
    c.line([(50, 68), (50, 55)], INK, 0.8)
    c.rect(33, 38, 36, 82, "#ffffff", 1.5, 0.2)


def kettle(c: Canvas) -> None:
    c.shadow(24, 74, 82)
    c.line([(66, 72), (76, 68), (80, 46), (88, 38)], STEEL, 4)
    c.poly([(32, 40), (66, 40), (74, 82), (24, 82)], "#cfd7e2")
    c.poly([(58, 40), (66, 40), (74, 82), (64, 82)], INK, 0.14)
    c.rect(24, 78, 74, 83, STEEL, 2)
    c.oval(32, 36, 66, 44, "#e6ebf2")
    c.dot(49, 33, 4, INK)
    c.arc(8, 36, 42, 76, 100, 272, INK, 4.5)
    c.poly([(38, 46), (43, 46), (38, 76), (32, 76)], "#ffffff", 0.5)


def desk_lamp(c: Canvas) -> None:
    c.poly([(28, 34), (52, 42), (66, 84), (6, 84)], "#fff3c4", 0.6)
    c.shadow(46, 88, 85)
    c.rect(50, 80, 86, 85, INK, 2.5)
    c.line([(68, 81), (76, 52), (52, 24)], CLAY, 3)
    c.dot(76, 52, 3.4, INK)
    c.poly([(52, 18), (58, 27), (52, 42), (26, 32)], CLAY)
    c.poly([(58, 27), (52, 42), (45, 39), (54, 21)], INK, 0.15)
    c.pie(31, 26, 48, 44, 20, 200, "#ffe27a")


def pendant(c: Canvas) -> None:
    c.line([(50, 0), (50, 34)], INK, 1.2)
    c.poly([(22, 64), (78, 64), (96, 100), (4, 100)], "#fff3c4", 0.55)
    c.oval(40, 58, 60, 74, "#ffe27a")
    c.pie(18, 32, 82, 96, 180, 360, TEAL)
    c.pie(18, 32, 82, 96, 300, 360, INK, 0.16)
    c.rect(46, 27, 54, 35, SUN, 2)
    c.rect(17, 62, 83, 66, "#17605e", 2)
    c.arc(25, 38, 75, 90, 195, 235, "#ffffff", 1.6, 0.5)


def vase(c: Canvas) -> None:
    c.shadow(30, 70, 86)
    for x, y, color in ((34, 20, SUN), (50, 12, CLAY), (65, 22, PLUM)):
        c.line([(50, 50), (x, y)], "#3f7d57", 1.3)
        for dx, dy in ((0, -5), (5, 0), (0, 5), (-5, 0)):
            c.dot(x + dx, y + dy, 3.8, color)
        c.dot(x, y, 3, CREAM)
    c.line([(50, 44), (38, 38)], "#3f7d57", 2.6)
    c.oval(30, 50, 70, 87, "#e9eef0")
    c.rect(43, 42, 57, 58, "#e9eef0", 2)
    c.oval(42, 40, 58, 46, "#cdd7db")
    c.arc(30, 50, 70, 87, 285, 75, "#cdd7db", 4)
    c.arc(33, 60, 67, 72, 20, 160, TEAL, 1.4)
    c.arc(33, 65, 67, 77, 20, 160, TEAL, 1.4)


def cushion(c: Canvas) -> None:
    c.shadow(16, 84, 84)
    c.rect(18, 24, 82, 84, MINT, 13)
    c.rect(21, 27, 79, 81, "#c6e8d8", 11)
    for row in range(3):
        for column in range(3):
            x, y = 34 + 16 * column, 38 + 16 * row
            color = (CLAY, TEAL, SUN)[(row + column) % 3]
            c.poly([(x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y)], color)
            c.dot(x, y, 1.6, CREAM)


def candle(c: Canvas) -> None:
    c.dot(50, 26, 15, "#ffe9a8", 0.75)
    c.shadow(28, 72, 86)
    c.rect(30, 46, 70, 86, "#e8d3b8", 5)
    c.oval(30, 41, 70, 52, "#fbeedd")
    c.oval(34, 43, 66, 51, "#f6e1c2")
    c.line([(50, 47), (50, 37)], INK, 1.1)
    c.poly([(50, 16), (55.5, 29), (50, 37), (44.5, 29)], SUN)
    c.dot(50, 31, 5.4, SUN)
    c.dot(50, 32, 2.8, CREAM)
    c.rect(37, 58, 63, 76, CREAM, 2)
    c.line([(42, 64), (58, 64)], CLAY, 1.4)
    c.line([(45, 70), (55, 70)], INK, 0.9)


def clock(c: Canvas) -> None:
    c.shadow(24, 76, 86)
    c.dot(50, 48, 34, WOOD)
    c.dot(50, 48, 30, CREAM)
    for x, y in ((50, 22), (76, 48), (50, 74), (24, 48)):
        c.dot(x, y, 1.8, INK)
    for x, y in ((63, 25.5), (72.5, 35), (72.5, 61), (63, 70.5), (37, 70.5), (27.5, 61), (27.5, 35), (37, 25.5)):
        c.dot(x, y, 1, STEEL)
    c.line([(50, 48), (38, 37)], INK, 2.2)
    c.line([(50, 48), (65, 32)], INK, 1.6)
    c.line([(50, 48), (54, 66)], CLAY, 0.9)
    c.dot(50, 48, 2.6, CLAY)
