"""The form that a card leads to: signing in, answering, writing into the EHR."""
