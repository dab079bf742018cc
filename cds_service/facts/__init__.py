"""The Chart to facts: the closed vocabulary of kinds of facts and of words of tests."""
