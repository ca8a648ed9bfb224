"""Bearer tokens: who may call, as what.

`python -m pipelines.experimentation.service.tokens issue --subject ann --role approver` prints a token once and stores
its hash, with the caller's own AWS credentials; the service itself can issue none.
"""

import argparse
import hashlib
import hmac
import os
import re
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pipelines.experimentation.service.dynamodb import ConditionFailedError, dynamodb, reading, speaking

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_FORM = re.compile(r"^mlp_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$")
CACHE_SECONDS = 10.0
"""How long a token is believed without asking the store: a revoked one works at most this much longer."""
_CACHED = 4096


class Role(StrEnum):
    """What a caller may do. No role includes another."""

    SENDER = "sender"
    """Fetch configurations, send events."""
    VIEWER = "viewer"
    """Read experiments, decisions and reports."""
    EDITOR = "editor"
    """Declare, start, look, decide; issue configurations; delete a user's data."""
    APPROVER = "approver"
    """Approve a verdict, if the declaration names the subject."""


@dataclass(frozen=True)
class Caller:
    """Who a token was issued to."""

    subject: str
    roles: frozenset[Role]


class Tokens:
    """Tokens in the state table."""

    def __init__(self, client: "DynamoDBClient", table: str, clock: Callable[[], float] = time.time) -> None:
        self._client, self._table, self._clock = client, table, clock
        self._cache = dict[str, tuple[float, Caller]]()

    def issue(self, subject: str, roles: frozenset[Role], days: float = 90) -> str:
        """A new token, valid for `days`. Only the SHA-256 of its 256 random bits is stored."""
        identifier, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        with speaking():
            self._client.put_item(
                TableName=self._table,
                Item={
                    "pk": {"S": "token"},
                    "sk": {"S": identifier},
                    "hash": {"S": hashlib.sha256(secret.encode()).hexdigest()},
                    "subject": {"S": subject},
                    "roles": {"SS": sorted(roles)},
                    "expires": {"N": str(int(self._clock() + days * 86_400))},
                },
                ConditionExpression="attribute_not_exists(pk)",
            )
        return f"mlp_{identifier}_{secret}"

    def revoke(self, identifier: str) -> bool:
        """Forget a token by the sixteen digits after `mlp_`; False when there was none."""
        try:
            with speaking():
                self._client.delete_item(
                    TableName=self._table,
                    Key={"pk": {"S": "token"}, "sk": {"S": identifier}},
                    ConditionExpression="attribute_exists(pk)",
                )
        except ConditionFailedError:
            return False
        return True

    def caller(self, token: str) -> Caller | None:
        """Whose token this is; None for one that is malformed, unknown, revoked or expired."""
        now = self._clock()
        if (caller := self.known(token)) is not None:
            return caller
        form = _FORM.match(token)
        caller, until = self._read(form[1], form[2], now) if form else (None, 0.0)
        if caller is not None:
            if len(self._cache) >= _CACHED:
                self._cache.clear()
            self._cache[_name(token)] = (min(now + CACHE_SECONDS, until), caller)
        return caller

    def known(self, token: str) -> Caller | None:
        """Whose token this is, if that was asked lately; without a call of the store."""
        until, caller = self._cache.get(_name(token), (0.0, None))
        return caller if until > self._clock() else None

    def _read(self, identifier: str, secret: str, now: float) -> tuple[Caller | None, float]:
        with reading():
            item = self._client.get_item(
                TableName=self._table, Key={"pk": {"S": "token"}, "sk": {"S": identifier}}, ConsistentRead=True
            ).get("Item")
        if item is None:
            return None, 0.0
        expires = float(item["expires"].get("N", "0"))
        given = hashlib.sha256(secret.encode()).hexdigest()
        if not hmac.compare_digest(given, item["hash"].get("S", "")) or expires <= now:
            return None, 0.0
        roles = frozenset(Role(role) for role in item["roles"].get("SS", []))
        return Caller(item["subject"].get("S", ""), roles), expires


def _name(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def main(arguments: list[str]) -> int:
    """Issue or revoke a token in the table named by STATE_TABLE."""
    parser = argparse.ArgumentParser(prog="tokens", description="Issue and revoke tokens of the experiment service.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    issue = verbs.add_parser("issue", help="print a new token, once")
    issue.add_argument("--subject", required=True, help="who will hold it, as named among a declaration's approvers")
    issue.add_argument("--role", action="append", required=True, choices=[str(role) for role in Role])
    issue.add_argument("--days", type=float, default=90)
    revoke = verbs.add_parser("revoke", help="forget a token")
    revoke.add_argument("identifier", help="the sixteen digits after mlp_")
    said = parser.parse_args(arguments)
    if "STATE_TABLE" not in os.environ:
        sys.stderr.write("STATE_TABLE must name the service's state table\n")
        return 1
    tokens = Tokens(dynamodb(), os.environ["STATE_TABLE"])
    if said.verb == "issue":
        sys.stdout.write(tokens.issue(said.subject, frozenset(map(Role, said.role)), said.days) + "\n")
        return 0
    if tokens.revoke(said.identifier):
        return 0
    sys.stderr.write(f"there is no token {said.identifier}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
