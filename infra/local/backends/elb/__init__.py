"""Elastic Load Balancing v2 that really relays."""
