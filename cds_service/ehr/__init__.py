"""Calls to the EHR's FHIR server: whom, by when, and what a call still lacks."""
