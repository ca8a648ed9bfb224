"""What goes wrong on the local machine, said to the person who can mend it."""


class LocalError(Exception):
    """A mistake or a shortage the user can mend; its text is the whole message, shown without a traceback.

    The text says what was wrong, the value got, what is allowed and the change to make.
    """
