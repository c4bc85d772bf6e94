"""What needs a person now: queues by role, each asked of the feature that has it, within the person's own reach."""
