"""What outlives a call: feedback, the cards it speaks of, tokens seen, and what each statement had to say."""
