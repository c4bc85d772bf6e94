"""The ledger 台账: every matter, made for lists, with filters, saved views and exports."""
