"""CDS Hooks service that checks a chart against the criteria of a medical society's coverage statement."""

__version__ = "0.1.0"
