"""Devices: one-time codes, enrolment, what a device needs to know to work offline."""
