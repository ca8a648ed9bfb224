"""Health of targets: a thread that asks them as their target group says."""

import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from typing import Any

# A new target is asked often until its first success, which is what makes it healthy on AWS too.
_INITIAL_INTERVAL = 0.5
_TICK = 0.1


@dataclass
class Health:
    """State of one target, in DescribeTargetHealth's words."""

    state: str = "initial"
    reason: str | None = "Elb.RegistrationInProgress"
    description: str | None = "Target registration is in progress"
    failures: int = 0
    successes: int = 0
    due: float = 0.0
    since: float = 0.0


@dataclass(frozen=True)
class Check:
    """How a target is asked."""

    address: str
    port: int
    http: bool
    path: str
    codes: str
    timeout: float

    def ask(self) -> str | None:
        """None when it is well, else what is wrong, as `Health.description` says it."""
        if not self.http:
            try:
                socket.create_connection((self.address, self.port), self.timeout).close()
            except OSError:
                return "Health checks failed"
            return None
        connection = HTTPConnection(self.address, self.port, timeout=self.timeout)
        try:
            connection.request("GET", self.path, headers={"User-Agent": "ELB-HealthChecker/2.0"})
            status = connection.getresponse().status
        except TimeoutError:
            return "Request timed out"
        except (OSError, HTTPException):
            return "Health checks failed"
        finally:
            connection.close()
        return None if code_matches(status, self.codes) else f"Health checks failed with these codes: [{status}]"


def code_matches(status: int, codes: str) -> bool:
    """Whether a status is among `200,202` or `200-299`."""
    for part in codes.split(","):
        bounds = [int(number) for number in re.findall(r"\d+", part)]
        if bounds and bounds[0] <= status <= bounds[-1]:
            return True
    return False


def after(health: Health, problem: str | None, *, healthy_after: int, unhealthy_after: int) -> Health:
    """The state that follows one answer; a target that is new becomes what its answer says."""
    if problem is None:
        successes = health.successes + 1
        well = health.state in ("healthy", "initial") or successes >= healthy_after
        if well:
            return replace(health, state="healthy", reason=None, description=None, failures=0, successes=successes)
        return replace(health, failures=0, successes=successes)
    failures = health.failures + 1
    if health.state in ("unhealthy", "initial") or failures >= unhealthy_after:
        reason = "Target.Timeout" if problem == "Request timed out" else "Target.FailedHealthChecks"
        if "codes" in problem:
            reason = "Target.ResponseCodeMismatch"
        return replace(health, state="unhealthy", reason=reason, description=problem, failures=failures, successes=0)
    return replace(health, failures=failures, successes=0)


class Checker:
    """Asks every target of every target group when it is due."""

    def __init__(self, groups: Callable[[], Iterable[Any]]) -> None:
        self._groups = groups
        self._table: dict[tuple[str, str], Health] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._run, name="target health", daemon=True).start()

    def health(self, group_arn: str, target_id: str) -> Health:
        """Health of a registered target."""
        with self._lock:
            return self._table.get((group_arn, target_id)) or Health()

    def forget(self, group_arn: str, target_id: str) -> None:
        """A target was registered anew or deregistered."""
        with self._lock:
            self._table.pop((group_arn, target_id), None)

    def _run(self) -> None:
        while True:
            time.sleep(_TICK)
            for group in list(self._groups()):
                for target in list(group.targets.values()):
                    self._visit(group, target)

    def _visit(self, group: Any, target: dict[str, Any]) -> None:
        key = (group.arn, target["Id"])
        with self._lock:
            health = self._table.setdefault(key, Health(since=time.monotonic()))
            if time.monotonic() < health.due:
                return
            health.due = math.inf
        # A target that hangs must not hold up the others.
        threading.Thread(target=self._ask, args=(key, health, group, target), name="health check", daemon=True).start()

    def _ask(self, key: tuple[str, str], health: Health, group: Any, target: dict[str, Any]) -> None:
        problem = check_of(group, target).ask()
        now = time.monotonic()
        interval, unhealthy_after = float(group.health_check_interval_seconds), int(group.unhealthy_threshold_count)
        if problem is not None and health.state == "initial" and now - health.since < interval * unhealthy_after:
            new, pause = replace(health, description=problem), _INITIAL_INTERVAL
        else:
            new = after(
                health, problem, healthy_after=int(group.healthy_threshold_count), unhealthy_after=unhealthy_after
            )
            pause = interval
        with self._lock:
            if self._table.get(key) is health:
                self._table[key] = replace(new, due=now + pause)


def check_of(group: Any, target: dict[str, Any]) -> Check:
    """How the targets of a group are asked."""
    port = group.health_check_port
    matcher: dict[str, Any] = getattr(group, "matcher", None) or {}
    protocol = group.health_check_protocol or group.protocol
    return Check(
        address=target["Id"],
        port=int(target["Port"]) if port in (None, "traffic-port") else int(port),
        http=protocol in ("HTTP", "HTTPS"),
        path=group.health_check_path or "/",
        codes=str(matcher.get("HttpCode", "200")),
        timeout=float(group.health_check_timeout_seconds),
    )
