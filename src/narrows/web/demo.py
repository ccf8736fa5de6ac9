"""The demo's page, from plain numbers and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from narrows.web.demo_content import (
    Classifier,
    Command,
    DemoContent,
    Fact,
    Result,
    Scree,
    Timing,
)
from narrows.web.drawings import (
    Words,
    decoder_as_generator,
    encoder_as_features,
    squeeze_and_restore,
)
from narrows.web.page import (
    Label,
    Panel,
    Picture,
    chart,
    error_text,
    label_attributes,
    page,
    panel,
    paragraph,
    ratio_text,
    seconds_text,
    section,
    table,
    words,
)

__all__ = [
    "Classifier",
    "Command",
    "DemoContent",
    "Fact",
    "Panel",
    "Picture",
    "Result",
    "Scree",
    "Timing",
    "Words",
    "demo_page",
]


def demo_page(content: DemoContent) -> str:
    """Build the demo's page.

    Parameters
    ----------
    content : DemoContent
        The numbers and pictures.

    Returns
    -------
    str
        One HTML file that needs nothing else. `#lang=zh&theme=dark` at the end of its address
        chooses language and theme.

    Raises
    ------
    DataError
        If a picture is not a PNG file, or its two themes differ in size.
    """
    body = [
        _opening(),
        _numbers(content),
        _restored(content),
        _planes(content),
        _features(content),
        _generated(content),
        _scree(content),
        _times(content),
        _next(content.commands),
    ]
    title = Words("narrows: a tour on handwritten digits", "narrows：手写数字之旅")
    return page(title, "\n".join(body))


def _opening() -> str:
    title = Words("Through a narrow place, and back", "穿过窄处，再还原回来")
    lead = Words(
        "narrows learns the gist of data without labels. A network squeezes each sample into a "
        "few numbers and rebuilds it from them. What survives is what the data is about.",
        "narrows 不用标签就能学到数据的精髓。网络把每个样本压缩成寥寥几个数，再由这几个数还原。"
        "能留下来的，就是数据的精髓。",
    )
    halves = [
        _drawn(
            Words("The encoder alone", "只用编码器"),
            Words(
                "A few numbers that say what matters make a small model enough.",
                "几个数已说出要点，小模型就够用了。",
            ),
            encoder_as_features(),
        ),
        _drawn(
            Words("The decoder alone", "只用解码器"),
            Words(
                "Any numbers can be decoded, also those that no sample has had.",
                "任何编码都能解码，包括从未有样本用过的编码。",
            ),
            decoder_as_generator(),
        ),
    ]
    return (
        f"<h1>{words(title)}</h1>\n{paragraph(lead, 'lead')}\n"
        f"<figure>{squeeze_and_restore()}</figure>\n"
        f'<div class="columns two">{"".join(halves)}</div>'
    )


def _drawn(title: Words, note: Words, drawing: str) -> str:
    return (
        f"<figure><figcaption><b>{words(title)}</b><br>{words(note)}</figcaption>{drawing}</figure>"
    )


def _numbers(content: DemoContent) -> str:
    head = [
        Words("program", "程序"),
        Words("code size", "编码长度"),
        Words("held-out error", "留出误差"),
        Words("PCA’s error", "PCA 误差"),
        Words("ratio", "比值"),
        Words("training", "训练时间"),
    ]
    rows = [
        (
            words(r.program),
            f"{r.n_components:,}",
            error_text(r.error),
            error_text(r.pca_error),
            ratio_text(r.error, r.pca_error),
            seconds_text(r.seconds),
        )
        for r in content.results
    ]
    test, train = f"{content.n_test:,}", f"{content.n_train:,}"
    about = Words(
        f"All programs learned from the same {train} digits. Every error is measured on {test} "
        "held-out test digits, which none of them saw.",
        f"所有程序都用同样的 {train} 个数字学习。所有误差都在 {test} 个留出的测试数字上测得，"
        "这些数字没有一个程序见过。",
    )
    note = Words(
        "Error: mean squared error per pixel, pixels from 0 to 1. Ratio: the error divided by "
        "PCA’s at the same code size; below 1 is better than PCA.",
        "误差：每个像素的均方误差，像素取值 0 到 1。比值：误差除以同样编码长度下 PCA 的误差，"
        "小于 1 即优于 PCA。",
    )
    title = Words("The numbers at a glance", "结果一览")
    ours = [r.ours for r in content.results]
    return section(
        "numbers",
        title,
        paragraph(about),
        table(head, rows, ours=ours, name=title),
        paragraph(note, "note"),
    )


def _restored(content: DemoContent) -> str:
    about = Words(
        "Held-out test digits, and what each program makes of them after squeezing "
        "784 pixels through its code.",
        "留出的测试数字，以及各程序把 784 个像素压缩成编码后还原出的样子。",
    )
    title = Words("1. Compress and restore", "一、压缩与还原")
    strips = "".join(map(panel, content.restored))
    training = ""
    if content.training is not None:
        caption = Words(
            "Held-out error (MSE) while training, PCA’s as the dashed line.",
            "训练过程中的留出误差（MSE），虚线为 PCA。",
        )
        training = chart(content.training, caption)
    return section(
        "restore", title, paragraph(about), f'<div class="rows">{strips}{training}</div>'
    )


def _planes(content: DemoContent) -> str:
    about = Words(
        f"The same with a code of two numbers, drawn as a plane: {content.n_test:,} held-out "
        "test digits, one colour per digit. The labels colour the points; no program learned "
        "from them. Ours is a map: it was trained to keep each digit’s neighbours beside it, and "
        "decodes like the others. 10-NN accuracy says how well the ten nearest neighbours in the "
        "plane tell the digit.",
        f"编码只用两个数，画成平面：{content.n_test:,} 个留出的测试数字，每种数字一种颜色。"
        "标签只用来上色，没有程序用它学习。我们的是一张地图：训练时让每个数字的近邻留在它旁边，"
        "也同样可以解码。10-NN 准确率表示用平面上最近的十个邻居判断数字有多准。",
    )
    legend = "".join(
        f'<li><i style="background:{escape(colour)}"></i>{escape(name)}</li>'
        for name, colour in content.classes
    )
    name = Words("Colours of the digits", "各数字的颜色")
    return section(
        "plane",
        Words("2. Compress to two numbers", "二、压缩成两个数"),
        paragraph(about),
        f'<ul class="legend" {label_attributes(name)}>{legend}</ul>' if legend else "",
        f'<div class="columns">{"".join(map(panel, content.planes))}</div>',
    )


def _features(content: DemoContent) -> str:
    head = [
        Words("classifier on", "分类器的输入"),
        Words("numbers in", "输入个数"),
        Words("parameters", "参数量"),
        Words("held-out accuracy", "留出准确率"),
        Words("training", "训练时间"),
    ]
    rows = [
        (
            words(c.name),
            f"{c.n_inputs:,}",
            f"{c.n_parameters:,}",
            f"{100 * c.accuracy:.1f} %",
            seconds_text(c.seconds),
        )
        for c in content.classifiers
    ]
    about = Words(
        "In use, often only the encoder remains: a small classifier reads the code in place of "
        f"the pixels. Accuracy on {content.n_test:,} held-out test digits.",
        "实际使用时往往只留下编码器：小分类器读取编码，而不是像素。"
        f"准确率在 {content.n_test:,} 个留出的测试数字上测得。",
    )
    title = Words("3. The encoder as features", "三、用编码器提取特征")
    ours = [c.ours for c in content.classifiers]
    return section("features", title, paragraph(about), table(head, rows, ours=ours, name=title))


def _generated(content: DemoContent) -> str:
    about = Words(
        "Where codes follow a known distribution, new ones can be drawn, and decoded to digits "
        "that nobody wrote. These are variational autoencoders, trained on the same "
        f"{content.n_train:,} digits, without labels. The digits shown are the first that were "
        "drawn; none were picked.",
        "如果编码服从已知的分布，就可以抽取新的编码，解码成没有人写过的数字。"
        f"这里用的是变分自编码器，用同样的 {content.n_train:,} 个数字训练，不用标签。"
        "展示的是最先抽到的数字，没有经过挑选。",
    )
    ways = ""
    if content.ways is not None:
        caption = Words(
            "From one held-out test digit (a) to another (b): what the codes between theirs "
            "decode to. Above each column: how far along the way.",
            "从一个留出的测试数字（a）到另一个（b）：两者编码之间的各点解码的结果。每列上方是走过的比例。",
        )
        ways = chart(content.ways, caption)
    return section(
        "generate",
        Words("4. The decoder as a generator", "四、用解码器生成"),
        paragraph(about),
        f'<div class="columns two">{"".join(map(panel, content.generated))}</div>',
        ways,
    )


def _scree(content: DemoContent) -> str:
    scree = content.scree
    about = Words(
        "PCA is the yardstick, and where narrows starts. The same code sizes, the same "
        f"{content.n_test:,} held-out test digits.",
        "PCA 既是标尺，也是 narrows 的起点。编码长度相同，"
        f"测试用的也是同样 {content.n_test:,} 个留出数字。",
    )
    caption = Words(
        "k: numbers in the code. MSE: held-out mean squared error per pixel. Both axes are "
        "logarithmic.",
        "k：编码中数的个数。MSE：每个像素的留出均方误差。两轴均为对数刻度。",
    )
    title = Words("5. PCA beside it, always", "五、始终与 PCA 并列")
    head: list[Label] = [Words("code size", "编码长度"), *scree.curves]
    rows = [
        (f"{size:,}", *(error_text(curve[i]) for curve in scree.curves.values()))
        for i, size in enumerate(scree.sizes)
    ]
    summary = words(Words("These numbers as a table", "以表格查看这些数字"))
    numbers = f"<details><summary>{summary}</summary>{table(head, rows, name=title)}</details>"
    return section("pca", title, paragraph(about), chart(scree.picture, caption), numbers)


def _times(content: DemoContent) -> str:
    total = sum(t.seconds for t in content.timings)
    longest = max((t.seconds for t in content.timings), default=0.0) or 1.0
    rows = "".join(
        f'<tr><th scope="row">{words(t.part)}</th><td>{seconds_text(t.seconds)}</td>'
        f'<td class="span"><div style="width:{100 * max(0.0, t.seconds) / longest:.1f}%"></div>'
        "</td></tr>"
        for t in content.timings
    )
    facts = "".join(
        f"<dt>{words(fact.name)}</dt><dd>{words(fact.value)}</dd>" for fact in content.facts
    )
    title = Words("How long each part took", "各部分用时")
    about = Words(
        f"Together {seconds_text(total)}, on this machine.",
        f"在这台机器上共 {seconds_text(total)}。",
    )
    return section(
        "times",
        title,
        paragraph(about),
        f'<div class="scroll" tabindex="0" role="group" {label_attributes(title)}>'
        f'<table class="bars"><tbody>{rows}</tbody></table></div>',
        f'<dl class="facts">{facts}</dl>',
    )


def _next(commands: Sequence[Command]) -> str:
    lines = "".join(
        f'<dt tabindex="0"><code>{escape(c.line)}</code></dt><dd>{words(c.purpose)}</dd>'
        for c in commands
    )
    return section(
        "next", Words("What to run next", "接下来可以运行"), f'<dl class="commands">{lines}</dl>'
    )
