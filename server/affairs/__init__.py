"""One affair of many people: a parent matter with members, each numbered, with one answer for all."""
