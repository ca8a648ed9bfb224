"""`python -m tests.support.kafka install` makes the runtime ahead of the tests, `… lock` resolves its locks anew."""

import sys

from tests.support.kafka.install import install, lock

if sys.argv[1:] not in (["install"], ["lock"]):
    sys.exit("say install or lock")
lock() if sys.argv[1] == "lock" else install()
