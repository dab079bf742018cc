"""The words of cards, except those of rule set authors and the chart: reword or translate them here.

Each phrase has a name and typed parameters; only ``counting`` chooses singular or plural.
"""
