"""Texts of the pages: the same in both languages, all of them used, filled as their values ask."""

import re
import subprocess
import sys
from pathlib import Path
from string import Formatter

import pytest

import narrows
from narrows.web.words import LANGUAGES, Words, catalogue, say, sentences

SOURCE = Path(narrows.__file__).parent
ENGLISH, CHINESE = (catalogue(language) for language in LANGUAGES)


def placeholders(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_both_languages_have_the_same_keys_and_placeholders():
    assert list(ENGLISH) == list(CHINESE)
    for key, text in ENGLISH.items():
        assert placeholders(text) == placeholders(CHINESE[key]), key


def test_english_is_english_and_chinese_is_chinese():
    for key, text in ENGLISH.items():
        assert text and not re.search(r"[\u3000-\u9fff\uff00-\uffef]", text), key
        assert re.search(r"[\u4e00-\u9fff\uff00-\uffef]", CHINESE[key]) or text == CHINESE[key], key


def test_every_text_is_used_and_no_other_is_asked_for():
    python = [path.read_text(encoding="utf-8") for path in sorted(SOURCE.rglob("*.py"))]
    texts = [text for text in python if "narrows.web.words import" in text]
    texts += [path.read_text(encoding="utf-8") for path in sorted(SOURCE.rglob("*.html"))]
    asked = {key for text in texts for key in re.findall(r'"([a-z_]+\.[a-z0-9_.]+)"', text)}
    script = "".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("script/*.js"))
    for key in re.findall(r"\b(?:say|both)\((.*)\)", script):
        asked |= {f"map.script.{name}" for name in re.findall(r"'(\w+)'", key)}
    assert set(ENGLISH) - asked == set()
    said = {key for text in texts for key in re.findall(r'\bsay\(\s*"([^"]+)"', text)}
    assert said - set(ENGLISH) == set()


def test_placeholders_take_numbers_nouns_and_words():
    said = say("scorecard.lead", n_rows=1, n_features=1234, n_components=2)
    assert said.en.startswith("1 held-out row of 1,234 values each, encoded to 2 numbers")
    assert said.zh.startswith("1 个留出行，每行 1,234 个数值")
    named = say("scorecard.codes.alt", name=Words("raw input", "原始输入"))
    assert (named.en, named.zh) == ("Codes of raw input on a plane", "原始输入 的编码画在平面上")
    assert say("map.title", name="{x} $y {{}}").en == "A map of {x} $y {{}}"


def test_sentences_are_joined_as_each_language_does():
    assert sentences(Words("A.", "甲。"), Words("B.", "乙。")) == Words("A. B.", "甲。乙。")


def test_texts_are_read_without_matplotlib():
    run = (
        "import sys; from narrows.evaluation import scores; assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", run], check=True)


def test_an_unknown_text_is_an_error():
    with pytest.raises(KeyError, match=r"no\.such"):
        say("no.such")
