"""Turns facts into one finding for each criterion, and into verdicts."""
