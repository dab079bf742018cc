"""HTTP: hook calls, feedback, errors, pages and the OpenAPI document; no rule is decided here."""
