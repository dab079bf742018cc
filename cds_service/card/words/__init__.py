"""Everything that a card says, apart from what a rule set's author and the chart say: reword or translate it here.

Each phrase has a name and typed parameters; ``counting`` alone knows singular and plural.
"""
