"""Endpoints of the service, one module per kind of thing."""
