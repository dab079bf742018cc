"""The Markdown of a card as HTML that is safe in a page: text, tables and links, without scripts or loaded content."""

from functools import cache

import nh3
from markdown_it import MarkdownIt

# The part of GitHub-flavored Markdown (CDS Hooks 2.0, "Card Attributes") that cards use. A card has its own heading.
TAGS = {"a", "blockquote", "br", "code", "del", "em", "hr", "li", "ol", "p", "pre", "strong"} | {
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
}
SCHEMES = {"http", "https", "mailto"}
LONGEST = 40_000


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table").disable("image")


def render(text: str) -> str:
    """HTML of GitHub-flavored Markdown; raw HTML becomes text. Links open in a new tab and send no referrer.

    An allow-list also checks the renderer's output.
    """
    html = _markdown().render(text)
    return nh3.clean(
        html,
        tags=TAGS,
        attributes={"a": {"href"}, "*": set()},
        attribute_filter=_filtered,
        url_schemes=SCHEMES,
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def _filtered(tag: str, attribute: str, value: str) -> str | None:
    """An address with an allowed scheme, unchanged; None for others, as a relative address would lead to our pages."""
    return value if attribute != "href" or value.partition(":")[0].lower() in SCHEMES else None
