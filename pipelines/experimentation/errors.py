"""What goes wrong in an experiment, said to the person who can change it."""


class ExperimentError(ValueError):
    """The caller's input cannot give a valid answer; the message says what was got, what is allowed and what to change."""
