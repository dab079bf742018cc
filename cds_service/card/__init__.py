"""A decision to one card in the rule set's words."""
