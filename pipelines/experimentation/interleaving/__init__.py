"""Interleaving: two rankers share one result list, and clicks say which of them the users prefer."""

from pipelines.experimentation.interleaving.balanced import Balanced
from pipelines.experimentation.interleaving.bias import Bias, allowed_rankings, bias_under_blind_clicks
from pipelines.experimentation.interleaving.clicks import CascadeClicks, PositionClicks
from pipelines.experimentation.interleaving.competitive_pairs import CompetitivePairs
from pipelines.experimentation.interleaving.log import Impression, InterleavingLog
from pipelines.experimentation.interleaving.preference import Flag, Outcome, Preference, PreferenceTest, prefer
from pipelines.experimentation.interleaving.probabilistic import Probabilistic
from pipelines.experimentation.interleaving.rankings import Credit, Interleaved, Interleaver, InterleavingError, Side
from pipelines.experimentation.interleaving.team_draft import TeamDraft

__all__ = [
    "Balanced",
    "Bias",
    "CascadeClicks",
    "CompetitivePairs",
    "Credit",
    "Flag",
    "Impression",
    "Interleaved",
    "Interleaver",
    "InterleavingError",
    "InterleavingLog",
    "Outcome",
    "PositionClicks",
    "Preference",
    "PreferenceTest",
    "Probabilistic",
    "Side",
    "TeamDraft",
    "allowed_rankings",
    "bias_under_blind_clicks",
    "prefer",
]
