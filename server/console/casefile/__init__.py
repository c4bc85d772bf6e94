"""Pages of the case file: the matter, what is done with it, its slips."""
