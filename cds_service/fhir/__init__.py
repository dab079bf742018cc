"""Strict readers of FHIR elements, dates, codes, words and Bundles; and fhir.resources, imported on first use."""
