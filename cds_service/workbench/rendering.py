"""The Markdown of a card as HTML that may be in a page: text, tables and links, and nothing that runs or loads."""

from functools import cache

import nh3
from markdown_it import MarkdownIt

# Of GitHub-flavored Markdown (CDS Hooks 2.0, "Card Attributes") what cards use. No heading: a card has its own.
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
    """HTML of GitHub-flavored Markdown; raw HTML in it becomes text. A link opens apart and names no referrer.

    What the renderer lets through is checked against a list of what is allowed as well.
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
    """An address as it is, if it says its scheme: one that does not would lead to a page of our own."""
    return value if attribute != "href" or value.partition(":")[0].lower() in SCHEMES else None
