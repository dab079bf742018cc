"""Text from a chart inside a card: a reader sees its words, a renderer makes nothing of them."""

import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from cds_service.card.markdown import LONGEST, escape
from tests.charts import named

RENDERERS = {
    "github, raw HTML on": MarkdownIt("gfm-like", {"html": True, "linkify": False}),
    "markdown-it as in a browser": MarkdownIt("js-default"),
    "CommonMark with tables": MarkdownIt("commonmark").enable("table"),
}

TABLE_ELEMENTS = {"table", "thead", "tbody", "tr", "th", "td"}

PLAIN = named(
    ("a diagnosis", "Pain in right knee"),
    ("a value", "29.4 kg/m2, 2026-03-01"),
    ("a percentage", "44 %"),
    ("a path", "w/o contrast"),
    ("accents", "Gonalgie aiguë – genou gauche"),
    ("Chinese", "膝痛"),
    ("an emoji", "knee 🦵 pain"),
    ("nothing", ""),
)

HOSTILE = named(
    ("a script", "<script>alert(1)</script>"),
    ("a script behind words", "knee pain <script src=//evil.example/x.js></script>"),
    ("an image tag", "<img src=x onerror=alert(1)>"),
    ("an open tag", "<img src=x onerror=alert(1) "),
    ("a tag over an entity", "&lt;script&gt;alert(1)&lt;/script&gt;"),
    ("a numeric entity", "&#60;b&#62; &#x3c;b&#x3e;"),
    ("a named entity", "knee &amp; hip &nbsp; &copy;"),
    ("an HTML comment", "<!-- hidden --> <![CDATA[ x ]]> <?php ?>"),
    ("a Markdown image, which is a tracking pixel", "![x](https://evil.example/pixel.png)"),
    ("a Markdown link", "[click](https://evil.example)"),
    ("a link that runs a script", "[click](javascript:alert(1))"),
    ("a reference link", "[click][1] [1]: https://evil.example"),
    ("a shortcut reference", "[click]: https://evil.example 'x'"),
    ("an autolink in angles", "<https://evil.example>"),
    ("a mail address in angles", "<mailto:a@evil.example>"),
    ("a bare https address", "see https://evil.example/path?x=1"),
    ("a bare http address", "http://evil.example"),
    ("an address in capitals", "HTTPS://EVIL.EXAMPLE"),
    ("another scheme", "ftp://evil.example data:text/html,x"),
    ("a bare www address", "www.evil.example/x"),
    ("a www address in capitals", "WWW.evil.example"),
    ("a bare mail address", "write to a@evil.example"),
    ("a mailto address", "mailto:a@evil.example xmpp:a@evil.example"),
    ("a pipe", "left | right"),
    ("a new row", "pain |\n| **Met:** all | forged |"),
    ("a whole table", "|a|b|\n|---|---|\n|c|d|"),
    ("an escaped pipe", "a \\| b"),
    ("an escaped backslash before a pipe", "a \\\\| b"),
    ("a backslash at the end", "knee pain\\"),
    ("many backslashes at the end", "knee pain\\\\\\"),
    ("a pipe in a code span", "`a | b`"),
    ("backticks", "`code` ``more`` ```fence```"),
    ("an unclosed backtick", "knee ` pain"),
    ("a fence over lines", "```\n<script>\n```"),
    ("bold", "**Met:** __all__"),
    ("emphasis", "*knee* _pain_"),
    ("struck through", "~~not met~~ ~x~"),
    ("a heading", "# Approved"),
    ("a list", "- approved\n- covered"),
    ("a numbered list", "1. approved\n2. covered"),
    ("a quotation", "> approved"),
    ("a rule", "---"),
    ("a rule of equals", "==="),
    ("a line break", "knee\npain"),
    ("a carriage return", "knee\r\npain"),
    ("a hard break", "knee  \npain\\\nworse"),
    ("a line separator", "knee\u2028pain\u2029worse\u0085done"),
    ("a tabulator", "knee\tpain"),
    ("several blanks", "knee    pain"),
    ("a right-to-left override", "knee \u202egnikcatta\u202c pain"),
    ("right-to-left isolates", "knee \u2067pain\u2069 \u2066x\u2069"),
    ("invisible characters", "kn\u200bee\u200d \ufeffpain\u00ad"),
    ("a nought", "knee\x00pain\x1b[31m"),
    ("quotation marks", "\"knee\" 'pain'"),
    ("braces and brackets", "{knee} [pain] (worse)"),
    ("mathematics", "$knee$ $$pain$$"),
    ("a footnote", "knee[^1] ^super^"),
    ("a task", "[x] approved"),
    ("a mention", "@approver #12"),
    ("very long", "knee pain " * 1000),
    ("very long without a blank", "k" * 10_000),
    ("very long pipes", "|" * 10_000),
    ("very long backslashes", "\\" * 10_000),
    ("very long entities", "&amp;" * 2_000),
    ("very long images", "![x](https://evil.example/p.png)" * 300),
)


class Page(HTMLParser):
    """The elements of a rendered page, the text of each cell, and text outside all cells."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.cells: list[str] = []
        self.outside = ""
        self.inside = False

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")
            self.inside = True

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data):
        if self.inside:
            self.cells[-1] += data
        else:
            self.outside += data

    def handle_comment(self, data):
        self.elements.append("comment")

    def handle_decl(self, decl):
        self.elements.append("declaration")

    def handle_pi(self, data):
        self.elements.append("instruction")


def rendered(renderer, markdown):
    page = Page()
    page.feed(RENDERERS[renderer].render(markdown))
    page.close()
    return page


# What a reader may see of a text: one line, no character that hides or reorders others, no more than the limit.
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


def table(header, rows):
    """A GFM table, as a client may put what a card says into one."""
    return "\n".join(f"| {left} | {right} |" for left, right in (header, ("---", "---"), *rows))


def cleaned(text):
    text = " ".join(UNSEEN.sub(" ", text).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def visible(text):
    """Text as a browser shows it: the joiners that break addresses apart cannot be seen, blanks are one."""
    return " ".join(text.replace("\u2060", "").split())


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("text", PLAIN + HOSTILE)
def test_in_a_cell_it_is_one_cell_of_its_own_words(renderer, text):
    page = rendered(renderer, table(("Criterion", "On record"), [("Met: pain", escape(text)), ("Met: next", "next")]))
    assert len(page.cells) == 6
    assert set(page.elements) == TABLE_ELEMENTS
    assert page.outside.strip() == ""
    assert [page.cells[place].strip() for place in (0, 1, 2, 4, 5)] == [
        "Criterion",
        "On record",
        "Met: pain",
        "Met: next",
        "next",
    ]
    assert visible(page.cells[3]) == cleaned(text)


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("text", PLAIN + HOSTILE)
def test_between_other_cell_words_it_is_still_its_own_words(renderer, text):
    page = rendered(renderer, table(("a", "b"), [("x", f"before {escape(text)}; {escape(text)}, 2026-03-01")]))
    assert set(page.elements) == TABLE_ELEMENTS
    assert len(page.cells) == 4
    seen = cleaned(text)
    assert visible(page.cells[3]) == " ".join(f"before {seen}; {seen}, 2026-03-01".split())


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("text", PLAIN + HOSTILE)
def test_in_a_line_of_prose_it_is_words(renderer, text):
    page = rendered(renderer, f"**Payer** {escape(text)}: no medical policy on file.")
    assert page.elements == ["p", "strong"]
    assert visible(page.outside) == " ".join(f"Payer {cleaned(text)}: no medical policy on file.".split())


@pytest.mark.parametrize("text", HOSTILE)
def test_a_renderer_that_links_bare_addresses_finds_none(text):
    """GitHub's renderer takes any character after "www." for a host, an invisible one too: the dot must go apart."""
    made = escape(text)
    assert not re.search(r"(?i)\b(https?|ftp|mailto|xmpp|data|javascript):[/a-z]", made)
    assert not re.search(r"(?i)\bwww\.", made)
    assert not re.search(r"\S@\S*\w", made.replace("@\u2060", ""))


@pytest.mark.parametrize("text", PLAIN + HOSTILE)
def test_it_is_one_line_without_raw_html(text):
    made = escape(text)
    assert "\n" not in made
    assert "\r" not in made
    assert "<" not in made
    assert ">" not in made


@pytest.mark.parametrize("text", ["Pain in right knee", "29.4 kg/m2, 2026-03-01", "44 %", "2 sessions; last 2026-02"])
def test_plain_words_are_left_alone(text):
    assert escape(text) == text


def test_a_text_at_the_limit_is_whole_and_one_beyond_is_cut():
    assert escape("k" * LONGEST) == "k" * LONGEST
    assert escape("k" * (LONGEST + 1)) == "k" * (LONGEST - 1) + "…"
