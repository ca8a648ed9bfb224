"""What goes wrong in a pipeline, said to the person who can mend it."""


class PipelineError(Exception):
    """A mistake or a failed step; its text is the whole message, shown without a traceback.

    The text says what was wrong, the value got, what is allowed and the change to make.
    """
