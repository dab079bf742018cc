"""The chart of a call: the patient's records by code, the rules for evidence, and the recognized orders."""
