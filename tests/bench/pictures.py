"""The pictures of docs/performance.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from tests.bench.curves import Curve

mpl.use("Agg")


def starts(columns: Mapping[str, Sequence[float]], path: Path) -> None:
    """Draw each system's times to the first task as points on a logarithmic axis, and their median."""
    figure, axes = plt.subplots(figsize=(9, 0.9 + 0.6 * len(columns)), layout="constrained")
    names = list(reversed(list(columns)))
    for row, name in enumerate(names):
        values = columns[name]
        spread = [row + 0.24 * ((index % 7) / 6 - 0.5) for index in range(len(values))]
        axes.scatter(values, spread, s=14, alpha=0.6, linewidths=0)
        middle = median(values)
        axes.plot([middle, middle], [row - 0.3, row + 0.3], color="black", linewidth=1.5)
        axes.annotate(f"{middle:.2f} s", (middle, row + 0.32), ha="center", va="bottom", fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(columns) - 0.2)
    axes.set_xscale("log")
    ticks = [0.5, 1, 2, 5, 10, 20, 50]
    axes.set_xticks(ticks, [f"{tick:g} s" for tick in ticks])
    axes.minorticks_off()
    axes.grid(axis="x", alpha=0.3)
    axes.set_title("From the request to the first task on an executor: each run, and the median", fontsize=10)
    axes.set_xlabel("seconds, logarithmic", fontsize=8)
    _save(figure, path)


def stages(wanted: Curve, given: Curve, spans: Sequence[tuple[float, float]], path: Path) -> None:
    """Draw what a job could use and what it had, over time, with its stages behind it.

    Between two stages nothing runs for a moment.
    """
    figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
    zero = min(begin for begin, _ in (*wanted.points, *given.points))
    for number, (begin, end) in enumerate(spans):
        axes.axvspan(begin - zero, end - zero, color=f"C{number + 2}", alpha=0.10, linewidth=0)
        axes.text((begin + end) / 2 - zero, 0.15, f"stage {number}", ha="center", fontsize=8, color="0.4")
    for curve, name, color in ((given, "given", "C1"), (wanted, "wanted (ideal)", "C0")):
        moments, values = zip(*curve.points, strict=True)
        axes.step([moment - zero for moment in moments], values, where="post", label=name, color=color, linewidth=1.8)
    axes.set_xlabel("seconds")
    axes.set_ylabel("executors")
    axes.set_yticks(range(max(value for _, value in (*wanted.points, *given.points)) + 1))
    axes.legend(fontsize=8)
    axes.set_title("Executors over time; the shades are stages", fontsize=10)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
