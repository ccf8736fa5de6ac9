"""The drawn explanation: what an autoencoder does and what its halves are for, as inline SVG.

Each drawing holds its words in both languages and takes its colours from the page's style
sheet, so that one drawing serves every language and theme.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]


@dataclass(frozen=True)
class Words:
    """A text in both languages of the page.

    Parameters
    ----------
    en, zh : str
        The text in English and in simplified Chinese; plain text, not HTML.
    """

    en: str
    zh: str


# A handwritten digit, 14 by 14, brightness 0 to 9; the same digit through a narrow place; and
# one that was never written, decoded from a code halfway between two others.
ORIGINAL = (
    "00000000000000",
    "00000244100000",
    "00005988500000",
    "00019205600000",
    "00000018500000",
    "00000068100000",
    "00000492000000",
    "00001850000000",
    "00005810000000",
    "00009500001330",
    "00008999789872",
    "00001234420000",
    "00000000000000",
    "00000000000000",
)
RESTORED = (
    "00000000000000",
    "00000111110000",
    "00013677510000",
    "00025424500010",
    "00012028510110",
    "00010186100000",
    "00000473000000",
    "00001663210100",
    "00005621102310",
    "00028501225310",
    "00028978665200",
    "00002465431000",
    "00000000000000",
    "00000000000000",
)
GENERATED = (
    "00000000000000",
    "00000000000000",
    "00000221000000",
    "00027999710000",
    "00035326940000",
    "00000026920000",
    "00001899810000",
    "00005976742000",
    "00001100343000",
    "00000100333000",
    "00001876962000",
    "00000579720000",
    "00000002000000",
    "00000000000000",
)
CODE = (0.95, 0.25, 0.6, 0.8, 0.4)  # five numbers, as shades

PIXELS = Words("784 pixels", "784 个像素")
ENCODER = Words("encoder", "编码器")
DECODER = Words("decoder", "解码器")
CODE_NAME = Words("code", "编码")
FEW = Words("a few numbers", "寥寥几个数")


def squeeze_and_restore() -> str:
    """Return the main drawing twice: wide for screens, tall for phones; the page shows one."""
    label = Words(
        "A digit x of 784 pixels goes through the encoder into a code of a few numbers, and "
        "through the decoder to a restored digit x̂. The error is x minus x̂; training changes "
        "encoder and decoder so that it shrinks. No labels are used.",
        "数字图片 x（784 个像素）经编码器变成由几个数组成的编码，再经解码器还原为 x̂。"
        "误差是 x 减 x̂，训练就是调整编码器和解码器，让误差变小。全程不用标签。",
    )
    return _svg(890, 336, label, _wide(), "wide") + _svg(344, 620, label, _tall(), "tall")


def encoder_as_features() -> str:
    """Return the drawing of the encoder alone, feeding a small model."""
    label = Words(
        "The encoder alone: a digit becomes a code, and a small model reads the answer from it.",
        "只用编码器：数字图片变成编码，一个小模型由编码得出答案。",
    )
    parts = [
        _tile(4, 38, 84, ORIGINAL),
        _text(46, 144, Words("x", "x"), "symbol"),
        _arrow([(92, 80), (106, 80)]),
        _trapezoid([(110, 36), (196, 60), (196, 100), (110, 124)]),
        _text(153, 85, ENCODER),
        _arrow([(200, 80), (214, 80)]),
        _code(220, 38),
        _text(229, 144, CODE_NAME),
        _arrow([(242, 80), (264, 80)]),
        '<rect class="box" x="268" y="54" width="112" height="52" rx="8"/>',
        _text(324, 85, Words("small model", "小模型")),
        _arrow([(384, 80), (404, 80)]),
        _text(422, 91, Words("2", "2"), "answer"),
    ]
    return _svg(436, 156, label, parts)


def decoder_as_generator() -> str:
    """Return the drawing of the decoder alone, making a picture from a chosen code."""
    label = Words(
        "The decoder alone: choose a few numbers, and it draws a digit that nobody wrote.",
        "只用解码器：任选几个数，它就画出一个没人写过的数字。",
    )
    parts = [
        _sliders(16, 38),
        _text(65, 144, Words("choose numbers", "任选几个数")),
        _arrow([(128, 80), (150, 80)]),
        _code(157, 38),
        _text(165, 144, CODE_NAME),
        _arrow([(178, 80), (200, 80)]),
        _trapezoid([(206, 60), (296, 36), (296, 124), (206, 100)]),
        _text(251, 85, DECODER),
        _arrow([(300, 80), (322, 80)]),
        _tile(330, 38, 84, GENERATED),
        _text(372, 144, Words("a new digit", "新的数字")),
    ]
    return _svg(436, 156, label, parts)


def _wide() -> list[str]:
    return [
        _tile(10, 85, 110, ORIGINAL),
        _text(65, 219, Words("x", "x"), "symbol"),
        _text(65, 240, PIXELS, "muted"),
        _arrow([(126, 140), (146, 140)]),
        _trapezoid([(152, 82), (284, 116), (284, 164), (152, 198)]),
        _text(218, 145, ENCODER),
        _arrow([(288, 140), (308, 140)]),
        _code(316, 86, 20),
        _text(326, 219, CODE_NAME),
        _text(326, 240, FEW, "muted"),
        _arrow([(342, 140), (362, 140)]),
        _trapezoid([(368, 116), (500, 82), (500, 198), (368, 164)]),
        _text(434, 145, DECODER),
        _arrow([(504, 140), (524, 140)]),
        _tile(530, 85, 110, RESTORED),
        _text(585, 219, Words("x̂", "x̂"), "symbol"),
        _text(585, 240, Words("restored", "还原"), "muted"),
        _arrow([(646, 140), (682, 140)]),
        _arrow([(65, 79), (65, 34), (704, 34), (704, 118)]),
        _minus(704, 140),
        _arrow([(726, 140), (758, 140)]),
        _difference(764, 85, 110),
        _text(819, 219, Words("x − x̂", "x − x̂"), "symbol"),
        _text(819, 240, Words("error", "误差"), "muted"),
        _arrow([(819, 256), (819, 292), (434, 292), (434, 192)], "dashed"),
        _arrow([(434, 292), (218, 292), (218, 192)], "dashed"),
        _text(626, 316, Words("training makes the error smaller", "训练让误差变小")),
        _pill(65, 292, Words("no labels", "不用标签"), 92),
    ]


def _tall() -> list[str]:
    return [
        _tile(34, 8, 92, ORIGINAL),
        _text(140, 52, Words("x", "x"), "symbol", "start"),
        _text(140, 74, PIXELS, "muted", "start"),
        _arrow([(80, 104), (80, 118)]),
        _trapezoid([(34, 122), (126, 122), (101, 178), (59, 178)]),
        _text(140, 155, ENCODER, "", "start"),
        _code_row(49, 188),
        _text(140, 203, CODE_NAME, "", "start"),
        _text(140, 222, FEW, "muted", "start"),
        _trapezoid([(59, 216), (101, 216), (126, 272), (34, 272)]),
        _text(140, 255, DECODER, "", "start"),
        _arrow([(80, 276), (80, 290)]),
        _tile(34, 296, 92, RESTORED),
        _text(140, 330, Words("x̂", "x̂"), "symbol", "start"),
        _text(162, 329, Words("restored", "还原"), "muted", "start"),
        _arrow([(132, 348), (268, 348)]),
        _arrow([(132, 24), (290, 24), (290, 326)]),
        _minus(290, 348),
        _arrow([(290, 370), (290, 416)]),
        _difference(244, 422, 92),
        _text(232, 464, Words("x − x̂", "x − x̂"), "symbol", "end"),
        _text(232, 486, Words("error", "误差"), "muted", "end"),
        _arrow([(290, 520), (290, 548), (12, 548), (12, 150), (40, 150)], "dashed"),
        _arrow([(12, 244), (40, 244)], "dashed"),
        _text(160, 572, Words("training makes the error smaller", "训练让误差变小")),
        _pill(160, 600, Words("no labels", "不用标签"), 92),
    ]


def _svg(width: int, height: int, label: Words, parts: Sequence[str], kind: str = "") -> str:
    # A screen reader says the label, in the page's language, in place of the single words.
    return (
        f'<svg class="drawing {kind}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(label.en)}" data-en="{escape(label.en)}" '
        f'data-zh="{escape(label.zh)}">{"".join(parts)}</svg>\n'
    )


def _text(x: float, y: float, words: Words, style: str = "", anchor: str = "middle") -> str:
    place = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}" class="{style}"'
    if words.en == words.zh:
        return f"<text {place}>{escape(words.en)}</text>"
    return (
        f'<text {place} lang="en">{escape(words.en)}</text>'
        f'<text {place} lang="zh-CN">{escape(words.zh)}</text>'
    )


def _arrow(points: Sequence[Point], style: str = "") -> str:
    """Draw a line through `points`, the last part straight across or down, with a head."""
    (x0, y0), (x, y) = points[-2], points[-1]
    if y == y0:
        back = 7 if x > x0 else -7
        head = f"M{x:g} {y:g}l{-back} -4.5v9z"
    else:
        back = 7 if y > y0 else -7
        head = f"M{x:g} {y:g}l-4.5 {-back}h9z"
    path = "M" + "L".join(f"{px:g} {py:g}" for px, py in points)
    return f'<path class="flow {style}" d="{path}"/><path class="head {style}" d="{head}"/>'


def _trapezoid(corners: Sequence[Point]) -> str:
    points = " ".join(f"{x:g},{y:g}" for x, y in corners)
    return f'<polygon class="half" points="{points}"/>'


def _grid(x: float, y: float, size: float, levels: Sequence[Sequence[int]], style: str) -> str:
    """Draw the positive levels (1 to 9) as squares, one path per level."""
    cell = size / len(levels)
    paths = []
    for level in range(1, 10):
        squares = "".join(
            f"M{column} {row}h1v1h-1z"
            for row, line in enumerate(levels)
            for column, value in enumerate(line)
            if value == level
        )
        if squares:
            paths.append(f'<path d="{squares}" fill-opacity="{level / 9:.2f}"/>')
    place = f"translate({x:g} {y:g}) scale({cell:.4g})"
    return (
        f'<g class="{style}" transform="{place}" shape-rendering="crispEdges">{"".join(paths)}</g>'
    )


def _tile(x: float, y: float, size: float, rows: Sequence[str]) -> str:
    frame = f'<rect class="tile" x="{x:g}" y="{y:g}" width="{size:g}" height="{size:g}" rx="3"/>'
    return frame + _grid(x, y, size, [[int(v) for v in row] for row in rows], "pixels")


def _difference(x: float, y: float, size: float) -> str:
    """Draw the error, doubled to be seen: too dark in one colour, too bright in the other."""
    errors = [
        [max(-9, min(9, 2 * (int(a) - int(b)))) for a, b in zip(*rows, strict=True)]
        for rows in zip(ORIGINAL, RESTORED, strict=True)
    ]
    negative = [[-e for e in row] for row in errors]
    frame = f'<rect class="blank" x="{x:g}" y="{y:g}" width="{size:g}" height="{size:g}" rx="3"/>'
    return frame + _grid(x, y, size, errors, "under") + _grid(x, y, size, negative, "over")


def _code(x: float, y: float, cell: float = 15) -> str:
    step = cell + 2
    return "".join(
        f'<rect class="code" x="{x:g}" y="{y + i * step:g}" width="{cell:g}" height="{cell:g}" '
        f'rx="2" fill-opacity="{shade}"/>'
        for i, shade in enumerate(CODE)
    )


def _code_row(x: float, y: float) -> str:
    return "".join(
        f'<rect class="code" x="{x + i * 13:g}" y="{y:g}" width="11" height="18" rx="2" '
        f'fill-opacity="{shade}"/>'
        for i, shade in enumerate(CODE)
    )


def _sliders(x: float, y: float) -> str:
    parts = []
    for i, value in enumerate(CODE):
        height = y + 7.5 + 17 * i
        parts.append(f'<path class="flow" d="M{x:g} {height:g}h98"/>')
        parts.append(f'<circle class="knob" cx="{x + 98 * value:g}" cy="{height:g}" r="5.5"/>')
    return "".join(parts)


def _minus(x: float, y: float) -> str:
    return (
        f'<circle class="box" cx="{x:g}" cy="{y:g}" r="16"/>'
        f'<path class="sign" d="M{x - 7:g} {y:g}h14"/>'
    )


def _pill(x: float, y: float, words: Words, width: float) -> str:
    return (
        f'<rect class="pill" x="{x - width / 2:g}" y="{y - 14:g}" width="{width:g}" height="28" '
        f'rx="14"/>' + _text(x, y + 5, words, "muted")
    )
