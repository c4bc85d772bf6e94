"""What differs and waits for a person, and the decision."""
