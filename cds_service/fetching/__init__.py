"""Prefetch that the EHR did not send, fetched from its FHIR server."""
