"""A call and its feedback as the EHR sends them."""
