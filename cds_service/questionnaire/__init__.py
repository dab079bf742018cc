"""A rule set as a FHIR Questionnaire: what a form asks, and how it fills itself in."""
