"""What a network answers: how good that is, and how sure."""
