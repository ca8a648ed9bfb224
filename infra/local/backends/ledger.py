"""What the embedded AWS really does."""


def refusal(service: str, operation: str) -> str | None:
    """Why an operation is not answered; None when it is."""
    del service, operation
    return None
