"""Policies in a bandit's stored state."""

from collections.abc import Callable
from typing import Any

from pipelines.experimentation.bandits.errors import BanditError
from pipelines.experimentation.bandits.greedy import EpsilonGreedy
from pipelines.experimentation.bandits.linear import LinearThompson, LinUCB
from pipelines.experimentation.bandits.memory import Memory
from pipelines.experimentation.bandits.policy import Policy
from pipelines.experimentation.bandits.rand_ucb import LinearRandUCB
from pipelines.experimentation.bandits.thompson import BetaThompson, GaussianThompson
from pipelines.experimentation.bandits.upper_bounds import KLUCB, UCB1

FORMAT = 2
_READ = (1, 2)
_KINDS: dict[str, Callable[..., Policy]] = {
    kind.kind: kind
    for kind in (EpsilonGreedy, UCB1, KLUCB, BetaThompson, GaussianThompson, LinUCB, LinearThompson, LinearRandUCB)
}


def policy_state(policy: Policy) -> dict[str, Any]:
    """A policy's kind, settings and learning, as JSON."""
    return {"kind": policy.kind, "settings": policy.settings(), "learnt": policy.state()}


def policy_from(state: dict[str, Any]) -> Policy:
    """The policy of a bandit's state. Raises BanditError for a format or kind that this version lacks."""
    if state.get("format") not in _READ:
        raise BanditError(f"state: format must be one of {list(_READ)}, got {state.get('format')!r}")
    kind = state["policy"]["kind"]
    if kind not in _KINDS:
        raise BanditError(f"state: policy kind must be one of {sorted(_KINDS)}, got {kind!r}")
    settings = dict(state["policy"]["settings"])
    policy = _KINDS[kind](**{**settings, "memory": Memory(**settings["memory"])})
    policy.restore(state["policy"]["learnt"])
    return policy
