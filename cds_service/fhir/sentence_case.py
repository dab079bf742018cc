"""The first letter of a text: a capital, or as it is inside a sentence."""


def capital(text: str) -> str:
    """A text with a capital first letter."""
    return text[:1].upper() + text[1:]


def inside_sentence(title: str) -> str:
    """A title in the form for the middle of a sentence: a small first letter, unless it begins with an abbreviation."""
    return title[0].lower() + title[1:] if title[1:2].islower() or title[1:2] == " " else title
