"""Escapes chart text for cards: no Markdown, HTML, link, image, or second table row can come out of it.

Cards are GitHub-flavored Markdown (CDS Hooks 2.0, "Card Attributes"); some clients render raw HTML inside it and run
it.
"""

import re

LONGEST = 120

_PLAIN_CHARACTERS = r"[A-Za-z0-9 ,;%/=.()+'-]*+"
# Matches runs, not single characters: a colon is plain only at the end of a word.
_PLAIN = re.compile(rf"{_PLAIN_CHARACTERS}(?::(?= |$){_PLAIN_CHARACTERS})*+")
_VISIBLE = re.compile(
    r"[^\s\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]+"
)
# Parentheses need no escape: they make a link only after a bracket, and brackets are escaped.
_MARKUP = re.compile(r"([\\`*_\[\]#|~^])")
# Renderers that link bare addresses look for these; an invisible word joiner breaks them apart.
_ADDRESS = re.compile(r"(?i)(?<=[a-z]):(?=/|[a-z])|(?<=www)\.|@")
_JOINER = "\u2060"


def one_line(text: str, longest: int = LONGEST) -> str:
    """Text on one line without invisible characters, at most ``longest`` characters, for places without Markdown."""
    # Nearly all text is already plain.
    if len(text) <= longest and text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    shown = ""
    for word in _VISIBLE.finditer(text):
        shown += f" {word.group()}" if shown else word.group()
        # Stop at the limit: the same long text may be shown many times.
        if len(shown) > longest:
            return shown[: longest - 1].rstrip() + "…"
    return shown


def escape(text: str, longest: int = LONGEST) -> str:
    """Text escaped for Markdown, on one line and at most ``longest`` characters, so that nothing in it renders.

    Plain words come back unchanged.
    """
    if len(text) <= longest and _PLAIN.fullmatch(text) and "www." not in text.lower() and text[:1] not in "-=":
        return text.strip()
    shown = _MARKUP.sub(r"\\\1", one_line(text, longest))
    shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return _ADDRESS.sub(lambda match: _JOINER + match.group() + _JOINER, shown)
