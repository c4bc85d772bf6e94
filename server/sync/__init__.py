"""The exchange: one request carries a device's queue up and brings verdicts and the next page down."""
