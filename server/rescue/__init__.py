"""Requests that come in a file, from devices that cannot reach the server, and the answers to them."""
