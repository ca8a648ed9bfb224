"""What goes wrong in an experiment, said to the person who can change it."""


class ExperimentError(ValueError):
    """The caller's input cannot give a valid answer; the text says what was got, what is allowed, what to change."""
