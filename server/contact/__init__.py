"""Contact in full, for a stated reason, and the one lookup by contact. Both are recorded in the audit."""
