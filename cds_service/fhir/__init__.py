"""FHIR elements, dates, codes, words and Bundles, read strictly; fhir.resources, when first needed."""
