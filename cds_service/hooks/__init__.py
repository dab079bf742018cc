"""A call and its feedback as the EHR sends them, and what prefetch is asked for."""
