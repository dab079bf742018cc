"""The words of tests: one file each, with everything that the word does."""
