"""Turns a decision into one card, in the words of its rule set."""
