"""Entry point: SageMaker appends `train` or `serve` to the image's ENTRYPOINT."""

import os
import sys

from .layout import Layout


def main() -> int:
    """Run the command named by the first argument; the answer is the exit status."""
    layout = Layout.from_environment()
    match sys.argv[1:]:
        case ["train"]:
            from .training import train  # noqa: PLC0415 - a training job need not load the server

            return train(layout)
        case ["serve"]:
            # Requests are small and many: one thread per prediction beats a team of threads for each.
            os.environ.setdefault("OMP_NUM_THREADS", "1")
            from .serving import serve  # noqa: PLC0415 - OMP_NUM_THREADS is read when numpy and scikit-learn load

            return serve(layout)
        case other:
            sys.stderr.write(f"expected the argument `train` or `serve`, got {' '.join(other) or 'none'}\n")
            return 2


if __name__ == "__main__":
    sys.exit(main())
