"""Intake 登记: what reaches the office by itself, from the counter, by letter and call, and from an older ledger."""
