"""The linter of prose: finds, in everything that people read, the words that the word list replaces."""
