"""The form that a card links to: signing in, answering, and writing into the EHR."""
