"""Serving: releases, how they are rolled out, and a client of the endpoint."""
