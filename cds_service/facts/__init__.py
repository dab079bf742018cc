"""The facts in a chart: the closed vocabulary of kinds of facts and of words of tests."""
