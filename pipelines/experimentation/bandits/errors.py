"""What a bandit refuses."""


class BanditError(ValueError):
    """A setting, context, reward or stored state that cannot be used; the sentence says which and what is allowed."""
