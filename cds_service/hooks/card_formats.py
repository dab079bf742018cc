"""How the detail of a card may be written for one client: its format, and its dates."""

MARKDOWN, TEXT, HTML = "markdown", "text", "html"
# Markdown is what CDS Hooks says; text is for clients that render none; HTML is Epic's extension.
DETAIL_FORMATS = (MARKDOWN, TEXT, HTML)
US, ISO = "us", "iso"
DATES = (US, ISO)
