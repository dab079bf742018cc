"""A call's resources to a Chart: the patient's records by code, what counts as evidence, the orders."""
