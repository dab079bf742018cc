"""The HTTP side: each part of the application registers its routes; no rule is decided here."""
