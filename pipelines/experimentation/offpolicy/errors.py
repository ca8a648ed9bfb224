"""What off-policy evaluation refuses."""


class LogError(ValueError):
    """A log, target policy or setting that cannot be used; one sentence per problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
