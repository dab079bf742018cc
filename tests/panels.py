"""A card as an EHR's narrow panel shows it: 380 px wide, in each format that a client may ask for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any

from markdown_it import MarkdownIt

from cds_service.authoring import lint
from cds_service.card.style import HTML, TEXT, Style
from cds_service.hooks import hook_request
from cds_service.service.hook_call import answer
from tests.shipped import TODAY, example, guide

WIDTH, HEIGHT = 380, 600
GFM, COMMONMARK = MarkdownIt("gfm-like", {"linkify": False}), MarkdownIt("commonmark")
STYLE = f"""
 body {{ margin: 0; font: 14px/1.4 "DejaVu Sans", sans-serif; color: #1b2227; background: #fff; }}
 main {{ width: {WIDTH}px; box-sizing: border-box; padding: 12px; overflow-wrap: break-word; }}
 h1 {{ font-size: 16px; margin: 0 0 6px; }} p, ul {{ margin: 0 0 8px; }} ul {{ padding-left: 20px; }}
 pre {{ font: inherit; white-space: pre-wrap; margin: 0 0 8px; }}
"""
BESIDE = """
 body { display: flex; gap: 20px; padding: 16px; background: #eef1f4; }
 section { display: flex; flex-direction: column; gap: 8px; } h2 { font-size: 14px; margin: 0; }
 code { font: 13px "DejaVu Sans Mono", monospace; }
 main { flex: 1; background: #fff; border: 1px solid #c8d0d6; border-top: 3px solid #00607a; }
 button { font: inherit; padding: 4px 10px; border: 1px solid #00607a; border-radius: 3px; }
 button { color: #00607a; background: #fff; }
 footer { display: flex; flex-wrap: wrap; gap: 8px; }
"""


def panel(summary: str, detail: str) -> str:
    """The page of one card alone; ``detail`` is HTML."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Card</title>'
        f"<style>{STYLE}</style><main><h1>{escape(summary)}</h1>{detail}</main>"
    )


def preformatted(text: str) -> str:
    """Plain text as a client without Markdown shows it."""
    return f"<pre>{escape(text)}</pre>"


RENDERED: Mapping[str, Callable[[str], str]] = {
    "gfm": GFM.render,
    "commonmark": COMMONMARK.render,
    "text": lambda detail: preformatted(lint.plain(detail)),
}
# What the entry of the client says, what that client does with it, and how that looks.
FORMATS: Sequence[tuple[str, str, Callable[[str], str]]] = (
    ("markdown", "GitHub-flavored Markdown", GFM.render),
    ("markdown", "CommonMark without tables", COMMONMARK.render),
    (TEXT, "no Markdown", preformatted),
    (HTML, "Epic’s extension", str),
)


def card_of(name: str, style: Style) -> dict[str, Any]:
    """The card of an example, as a client with this style gets it."""
    request = example(name)
    called = hook_request.parse(f"coverage-guidance-{request['hook']}", request)
    (found,) = answer(called, replace(guide(), style=style), TODAY)
    assert found.card is not None
    return found.card


def formats(name: str, wanted: Sequence[tuple[str, str, Callable[[str], str]]] = FORMATS) -> str:
    """The card of an example in each of the formats, side by side."""
    panels = []
    for kind, client, render in wanted:
        card = card_of(name, Style(detail_format=kind))
        labels = [item["label"] for item in (*card["suggestions"], *card["links"])]
        buttons = "".join(f"<button>{escape(label)}</button>" for label in labels)
        panels.append(
            f"<section><h2><code>{kind}</code>: {client}</h2><main><h1>{escape(card['summary'])}</h1>"
            f"{render(card['detail'])}<footer>{buttons}</footer></main></section>"
        )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Card formats</title>'
        f"<style>{STYLE}{BESIDE}</style>{''.join(panels)}"
    )
