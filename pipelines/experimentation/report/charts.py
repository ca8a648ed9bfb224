"""Charts as SVG for a page that fetches nothing; colours come from the page's style sheet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 720
_LABELS = 150
"""Room left of a chart with one row per name."""


@dataclass(frozen=True)
class Interval:
    """A row of the effect chart; `low` and `high` are None when no interval can be given."""

    name: str
    estimate: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Line:
    """A series of points; `css` is its class in the style sheet."""

    css: str
    points: Sequence[tuple[float, float]]
    marks: bool = False


class _Scale:
    """A linear map with round ticks."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        if high <= low:
            low, high = low - 1, high + 1
        step = _round_step((high - low) / 5)
        self.low, self.high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
        self.ticks = [self.low + i * step for i in range(round((self.high - self.low) / step) + 1)]
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        return self._start + (value - self.low) / (self.high - self.low) * (self._end - self._start)


def _round_step(least: float) -> float:
    power = 10 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * (1 - 1e-9))


def effects(rows: Sequence[Interval], minimum: float, unit: str, factor: float = 1.0) -> str:
    """Each treatment's difference from the control with its interval, no effect and the smallest one worth having.

    `minimum` carries its sign; values are multiplied by `factor` and read as `unit`.
    """
    shown = [factor * v for row in rows for v in (row.estimate, row.low, row.high) if v is not None]
    height = 50 + 46 * len(rows)
    x = _Scale(min(0.0, minimum * factor, *shown), max(0.0, minimum * factor, *shown), _LABELS, WIDTH - 40)
    parts = _x_axis(x, height - 34, 18, f"difference from control, {unit}")
    parts += [_vertical(x(0.0), 18, height - 34, "zero"), _vertical(x(minimum * factor), 18, height - 34, "worth")]
    left, right = ("start", "end") if minimum < 0 else ("end", "start")
    parts += [
        _text(x(0.0), 12, "no effect", "note", left),
        _text(x(minimum * factor), 12, "worth having", "note", right),
    ]
    for i, row in enumerate(rows):
        y = 42 + 46 * i
        parts.append(_text(_LABELS - 14, y + 4, row.name, "name", "end"))
        if row.low is not None and row.high is not None:
            low, high = x(row.low * factor), x(row.high * factor)
            parts.append(f'<line class="reach" x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}"/>')
        parts.append(f'<circle class="estimate" cx="{x(row.estimate * factor):.1f}" cy="{y}" r="6"/>')
    spoken = "; ".join(f"{row.name} {row.estimate * factor:.3g} {unit}" for row in rows)
    return _svg(height, f"Difference from control: {spoken}", parts)


def looks(lines: Sequence[Line], width_label: str, height_label: str) -> str:
    """Evidence by information, against the boundaries."""
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    height = 320
    x = _Scale(0.0, max(1.0, *xs), 52, WIDTH - 24)
    y = _Scale(min(0.0, *ys), max(0.0, *ys), height - 40, 14)
    parts = _x_axis(x, height - 40, 14, width_label, percent=True)
    for tick in y.ticks:
        parts.append(f'<line class="grid" x1="52" y1="{y(tick):.1f}" x2="{WIDTH - 24}" y2="{y(tick):.1f}"/>')
        parts.append(_text(44, y(tick) + 4, f"{tick:g}", "tick", "end"))
    parts.append(
        f'<text class="note" transform="translate(14 {height / 2 - 20:.0f}) rotate(-90)">{escape(height_label)}</text>'
    )
    parts.append(f'<line class="zero" x1="52" y1="{y(0):.1f}" x2="{WIDTH - 24}" y2="{y(0):.1f}"/>')
    for line in lines:
        places = [(x(a), y(b)) for a, b in line.points]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        parts.append(f'<polyline class="{line.css}" points="{path}"/>')
        if line.marks:
            parts += [f'<circle class="{line.css} mark" cx="{a:.1f}" cy="{b:.1f}" r="5"/>' for a, b in places]
    return _svg(height, "Evidence at each look against the boundaries", parts)


def steps(points: Sequence[tuple[float, float]], end: float, width_label: str, height_label: str) -> str:
    """A share from 0 to 1 that changes at `points` (place, share) and stays in between, up to `end`."""
    height = 240
    x, y = _Scale(0.0, max(end, 1e-9), 52, WIDTH - 24), _Scale(0.0, 1.0, height - 40, 14)
    parts = _x_axis(x, height - 40, 14, width_label)
    for tick in y.ticks:
        parts.append(f'<line class="grid" x1="52" y1="{y(tick):.1f}" x2="{WIDTH - 24}" y2="{y(tick):.1f}"/>')
        parts.append(_text(44, y(tick) + 4, f"{tick:.0%}", "tick", "end"))
    corners = [(x(0.0), y(0.0))]
    for place, share in points:
        corners += [(x(place), corners[-1][1]), (x(place), y(share))]
    corners.append((x(end), corners[-1][1]))
    parts.append(f'<polyline class="path" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in corners)}"/>')
    parts += [f'<circle class="path mark" cx="{x(a):.1f}" cy="{y(b):.1f}" r="5"/>' for a, b in points]
    spoken = ", then ".join(f"{share:.0%}" for _, share in points)
    return _svg(height, f"{height_label}: {spoken}", parts)


def meters(rows: Sequence[tuple[str, float, bool]], limit_label: str) -> str:
    """One bar per row, filled to a share of its limit (1 trips it); the flag says tripped."""
    height = 40 + 34 * len(rows)
    start, end = 270, WIDTH - 60
    x = _Scale(0.0, max(1.0, *(min(share, 1.5) for _, share, _ in rows)), start, end)
    parts = list[str]()
    for i, (name, share, tripped) in enumerate(rows):
        y = 26 + 34 * i
        filled = x(min(max(share, 0.0), 1.5)) - start
        parts.append(_text(start - 14, y + 13, name, "name", "end"))
        parts.append(f'<rect class="track" x="{start}" y="{y}" width="{end - start}" height="18" rx="3"/>')
        css = "bad" if tripped else "fine"
        parts.append(f'<rect class="{css}" x="{start}" y="{y}" width="{max(filled, 0):.1f}" height="18" rx="3"/>')
        seen = f"{share:.0%} of the evidence needed" if share > 0 else "no sign of harm"
        said = "harm is shown" if tripped else seen
        parts.append(_text(start + 8, y + 13, said, "inside" if share > 0.4 else "note", "start"))
    parts += [_vertical(x(1.0), 18, height - 12, "limit"), _text(x(1.0), 12, limit_label, "note")]
    spoken = "; ".join(f"{name} {share:.0%} of its limit" for name, share, _ in rows)
    return _svg(height, spoken, parts)


def shares(rows: Sequence[tuple[str, int, float]], counted: str) -> str:
    """How many (`counted`, such as units) each variant has as bars, with a mark where the declared weights put them."""
    total = sum(count for _, count, _ in rows) or 1
    height = 14 + 34 * len(rows)
    start, end = _LABELS, WIDTH - 150
    x = _Scale(0.0, max(max(count / total, expected) for _, count, expected in rows), start, end)
    parts = list[str]()
    for i, (name, count, expected) in enumerate(rows):
        y = 8 + 34 * i
        parts.append(_text(start - 14, y + 14, name, "name", "end"))
        parts.append(
            f'<rect class="fine" x="{start}" y="{y}" width="{x(count / total) - start:.1f}" height="20" rx="3"/>'
        )
        parts.append(_vertical(x(expected), y - 4, y + 24, "limit"))
        parts.append(_text(end + 12, y + 14, f"{count:,} {counted}, {count / total:.2%}", "tick", "start"))
    spoken = "; ".join(f"{name}: {count} {counted}, expected {expected:.1%}" for name, count, expected in rows)
    return _svg(height, spoken, parts)


def _x_axis(scale: _Scale, y: float, top: float, label: str, *, percent: bool = False) -> list[str]:
    parts = list[str]()
    for tick in scale.ticks:
        at = scale(tick)
        parts.append(f'<line class="grid" x1="{at:.1f}" y1="{top}" x2="{at:.1f}" y2="{y}"/>')
        parts.append(_text(at, y + 15, f"{tick:.0%}" if percent else f"{round(tick, 12):g}", "tick"))
    first, last = scale(scale.low), scale(scale.high)
    parts.append(_text((first + last) / 2, y + 31, label, "note"))
    return parts


def _vertical(x: float, top: float, bottom: float, css: str) -> str:
    return f'<line class="{css}" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}"/>'


def _text(x: float, y: float, text: str, css: str, anchor: str = "middle") -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: int, spoken: str, parts: Sequence[str]) -> str:
    label = escape(spoken)
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
