"""Click models to simulate users with: for planning an interleaving, and for checking that a method is fair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np


@dataclass(frozen=True, slots=True)
class PositionClicks:
    """Position-based model: a result is clicked when examined and attractive, independently of the others."""

    examination: Sequence[float]
    """Probability that each position is looked at."""
    attraction: Mapping[str, float]
    """Probability that an examined item is clicked; items left out have none."""

    def clicks(self, items: Sequence[str], generator: np.random.Generator) -> list[int]:
        """The clicked positions of one view."""
        draws = generator.random(len(items))
        return [
            position
            for position, item in enumerate(items)
            if draws[position] < self.examination[position] * self.attraction.get(item, 0.0)
        ]


@dataclass(frozen=True, slots=True)
class CascadeClicks:
    """Dependent click model (Guo, Liu, Wang, WSDM 2009): read from the top, perhaps left after a click."""

    click: Mapping[int, float]
    """Probability of a click by relevance grade."""
    stop: Mapping[int, float]
    """Probability of leaving after a click by relevance grade."""
    grades: Mapping[str, int]
    """Relevance grade of each item; items left out have grade 0."""

    # Grades 0 and 1 of the instantiations in Hofmann, Whiteson, de Rijke (2011).
    PERFECT: ClassVar[tuple[dict[int, float], dict[int, float]]] = ({0: 0.0, 1: 1.0}, {0: 0.0, 1: 0.0})
    NAVIGATIONAL: ClassVar[tuple[dict[int, float], dict[int, float]]] = ({0: 0.05, 1: 0.95}, {0: 0.2, 1: 0.9})
    INFORMATIONAL: ClassVar[tuple[dict[int, float], dict[int, float]]] = ({0: 0.4, 1: 0.9}, {0: 0.1, 1: 0.5})
    RANDOM: ClassVar[tuple[dict[int, float], dict[int, float]]] = ({0: 0.5, 1: 0.5}, {0: 0.0, 1: 0.0})

    def clicks(self, items: Sequence[str], generator: np.random.Generator) -> list[int]:
        """The clicked positions of one view."""
        clicked: list[int] = []
        for position, (draw, leave) in enumerate(generator.random((len(items), 2)).tolist()):
            grade = self.grades.get(items[position], 0)
            if draw < self.click[grade]:
                clicked.append(position)
                if leave < self.stop[grade]:
                    break
        return clicked
