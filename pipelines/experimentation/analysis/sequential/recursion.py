"""Exact crossing probabilities of a discretely watched Brownian motion, by recursive numerical integration.

The statistics Z_1…Z_K of a group-sequential test have Z_k ~ N(θ √I_k, 1) and independent increments of Z √I (Jennison &
Turnbull 2000, ch. 3; Armitage, McPherson & Rowe 1969). The sub-density of Z_k among paths that have not stopped is
carried from look to look on Gauss-Legendre nodes of the continuation region, so that each step is one matrix-vector
product. The integrand is analytic inside the region, hence the error falls geometrically in the number of nodes;
`_nodes_for` takes enough for about 1e-10.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, roots_legendre

Array = NDArray[np.float64]
FAR = 9.0
"""Standard deviations beyond which the normal density is nothing: P(Z > 9) is 1e-19."""
_SQRT_TWO_PI = float(np.sqrt(2 * np.pi))


@lru_cache(maxsize=64)
def _legendre(count: int) -> tuple[Array, Array]:
    nodes, weights = roots_legendre(count)
    return np.asarray(nodes, dtype=float), np.asarray(weights, dtype=float)


def _nodes_for(width: float, step: float) -> int:
    # The next look's density is smooth on the scale of `step`, the increment's standard deviation over that of Z.
    # Rounded up to a multiple of 16, so that few sets of nodes are ever computed.
    return 16 * int(np.ceil((24 + 5.0 * width / min(1.0, step)) / 16))


@dataclass(frozen=True)
class State:
    """Sub-density of Z_k among the paths still going: `mass[i]` is density times quadrature weight at `nodes[i]`."""

    information: float
    drift: float
    nodes: Array
    mass: Array

    @property
    def remaining(self) -> float:
        """Probability of not having stopped yet."""
        return float(self.mass.sum())


def start(drift: float) -> State:
    """Before the first look; `drift` is θ, the mean of Z_k over √I_k."""
    return State(0.0, drift, np.zeros(1), np.ones(1))


def _standardised(state: State, information: float, z: Array) -> tuple[Array, float]:
    """(z - conditional mean given each node) / conditional deviation, shape (len(z), nodes), and that deviation."""
    increment = information - state.information
    deviation = float(np.sqrt(increment / information))
    mean = (state.nodes * np.sqrt(state.information) + state.drift * increment) / np.sqrt(information)
    return (z[:, None] - mean[None, :]) / deviation, deviation


def upper_tail(state: State, information: float, z: float) -> tuple[float, float]:
    """Probability of reaching this look and exceeding `z` there, and the sub-density at `z`."""
    scaled, deviation = _standardised(state, information, np.array([z]))
    density = np.exp(-0.5 * scaled[0] ** 2) / (_SQRT_TWO_PI * deviation)
    return float(ndtr(-scaled[0, :]) @ state.mass), float(density @ state.mass)


def lower_tail(state: State, information: float, z: float) -> tuple[float, float]:
    """Probability of reaching this look and falling below `z` there, and the sub-density at `z`."""
    scaled, deviation = _standardised(state, information, np.array([z]))
    density = np.exp(-0.5 * scaled[0] ** 2) / (_SQRT_TWO_PI * deviation)
    return float(ndtr(scaled[0, :]) @ state.mass), float(density @ state.mass)


def advance(state: State, information: float, lower: float, upper: float, next_information: float | None) -> State:
    """The state after going on between `lower` and `upper` here; the next look sets how fine the nodes must be."""
    centre = state.drift * np.sqrt(information)
    low, high = max(lower, centre - FAR), min(upper, centre + FAR)
    if low >= high:
        return State(information, state.drift, np.zeros(1), np.zeros(1))
    following = next_information if next_information is not None else 2 * information
    scales = [np.sqrt((information - state.information) / information), np.sqrt((following - information) / following)]
    # An increment moves Z by its own scale but also shrinks the old Z by sqrt(I_k / I_k+1); both are resolved.
    nodes, weights = _legendre(_nodes_for(high - low, float(min(scales))))
    half = (high - low) / 2
    z = low + half * (nodes + 1)
    scaled, deviation = _standardised(state, information, z)
    density = np.exp(-0.5 * scaled**2) @ state.mass / (_SQRT_TWO_PI * deviation)
    return State(information, state.drift, z, density * weights * half)


@dataclass(frozen=True)
class Crossing:
    """Probabilities by look of stopping above and below; shape (looks,) each."""

    upper: Array
    lower: Array


def crossing(information: Array, lower: Array, upper: Array, drift: float = 0.0) -> Crossing:
    """Stopping probabilities of boundaries on the Z scale at increasing `information`, under drift θ."""
    state = start(drift)
    above, below = np.empty(len(information)), np.empty(len(information))
    for k, level in enumerate(information):
        above[k] = upper_tail(state, level, upper[k])[0] if np.isfinite(upper[k]) else 0.0
        below[k] = lower_tail(state, level, lower[k])[0] if np.isfinite(lower[k]) else 0.0
        if k + 1 < len(information):
            state = advance(state, level, lower[k], upper[k], information[k + 1])
    return Crossing(above, below)
