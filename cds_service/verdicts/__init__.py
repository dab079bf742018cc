"""Facts to one finding for each criterion, and to verdicts."""
