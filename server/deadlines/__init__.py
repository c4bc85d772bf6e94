"""Deadlines of records: rules, their storage beside the records, what is told of them, and who may move them."""
