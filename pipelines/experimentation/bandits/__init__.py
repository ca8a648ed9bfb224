"""Bandits: allocate traffic while learning, with every decision's probability logged for later evaluation."""

from pipelines.experimentation.bandits.bandit import Bandit
from pipelines.experimentation.bandits.decisions import Decision, Decisions
from pipelines.experimentation.bandits.errors import BanditError
from pipelines.experimentation.bandits.greedy import EpsilonGreedy
from pipelines.experimentation.bandits.linear import LinearThompson, LinUCB
from pipelines.experimentation.bandits.memory import Memory
from pipelines.experimentation.bandits.policy import Policy
from pipelines.experimentation.bandits.rand_ucb import LinearRandUCB
from pipelines.experimentation.bandits.thompson import BetaThompson, GaussianThompson
from pipelines.experimentation.bandits.upper_bounds import KLUCB, UCB1

__all__ = [
    "KLUCB",
    "UCB1",
    "Bandit",
    "BanditError",
    "BetaThompson",
    "Decision",
    "Decisions",
    "EpsilonGreedy",
    "GaussianThompson",
    "LinUCB",
    "LinearRandUCB",
    "LinearThompson",
    "Memory",
    "Policy",
]
