"""Records over HTTP: listed, read, created, edited and acted upon by applications."""
