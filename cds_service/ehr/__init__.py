"""Calls to the EHR's FHIR server: allowed addresses, deadlines, and the data that a hook call lacks."""
