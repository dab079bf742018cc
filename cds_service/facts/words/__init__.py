"""The words of tests: one file each, with all that the word is and does."""
