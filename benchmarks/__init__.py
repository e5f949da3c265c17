"""Measurements of the server and the client; `make bench` runs them."""
