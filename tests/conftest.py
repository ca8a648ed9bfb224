"""What holds for every test."""

from hypothesis import HealthCheck, settings

# How fast a busy machine draws examples says nothing about the code under test.
settings.register_profile("mlp", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mlp")
