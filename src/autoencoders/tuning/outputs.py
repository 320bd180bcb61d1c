"""A study's results as files without a time in them: best values, a table of trials, figures."""

import csv
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import optuna
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from optuna.trial import FrozenTrial

from autoencoders.core.files import atomic_folder, write_json, write_text
from autoencoders.core.paths import STUDY, TRIALS
from autoencoders.params.sections import FixedTune
from autoencoders.params.tuned import write_tuned
from autoencoders.tuning.findings import Findings
from autoencoders.tuning.full import Result
from autoencoders.tuning.study import trial_plan
from autoencoders.tuning.trials import REASON, RESULT, complete, last_epoch, ranked, state

# inches, dots per inch, points
FIGURE_STYLE: dict[str, Any] = {"figure.figsize": (8, 4.5), "figure.dpi": 80, "font.size": 9}
# readable at half size; all about code sizes and shares
SHARES_STYLE: dict[str, Any] = {"figure.figsize": (8, 5), "figure.dpi": 100, "font.size": 14}
RESULTS = ("squared_error", "explained_variance", "code_size", "epochs")


def write_study(folder: Path, findings: Findings) -> None:
    """Writes the folder as a whole: values, trials, findings and figures."""
    with atomic_folder(folder) as new:
        write_tuned(new, findings.decision.taken.values)
        write_text(new / TRIALS, table(findings.trials))
        write_json(new / STUDY, findings.written())
        (new / "figures").mkdir()
        _draw(new / "figures", findings)


def table(trials: Sequence[FrozenTrial]) -> str:
    """CSV with a line for each trial, numbered without gaps."""
    rows: list[dict[str, Any]] = []
    names: dict[str, None] = {}  # of the values, in the order in which trials have them
    for number, trial in enumerate(trials):
        row = {
            "trial": number,
            "state": state(trial),
            "epochs": last_epoch(trial),
            "reason": trial.user_attrs.get(REASON),
        }
        rows.append({**row, **trial.user_attrs.get(RESULT, {}), **trial.params})
        names.update(dict.fromkeys(trial.params))
    columns = ["trial", "state", *RESULTS, *names, "reason"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _draw(folder: Path, findings: Findings) -> None:
    """Saves each figure as PNG."""
    plt.switch_backend("agg")
    style: dict[Any, Any] = {**mpl.rcParamsDefault, **FIGURE_STYLE}
    with mpl.rc_context(style), warnings.catch_warnings():
        # where all trials have the same value
        warnings.filterwarnings("ignore", message="Attempting to set identical low and high")
        for figure in _figures(findings):
            plt.suptitle(findings.name, fontsize=plt.gca().xaxis.label.get_fontsize())
            path = folder / f"{figure}.png"
            # plt.savefig would draw once more, for a window
            plt.gcf().savefig(path, metadata={"Software": None}, bbox_inches="tight")
            plt.close()


def _figures(findings: Findings) -> Iterator[str]:
    """Draws one figure after another and yields its name.

    These are history, slice, importances if there are enough trials, and for `smallest_code` the
    share of the variance by code size.
    """
    study = optuna.create_study()
    study.add_trials(findings.measured)
    drawn = optuna.visualization.matplotlib
    is_small_code = findings.tune.objective == "smallest_code"
    value = "code size and share of the variance lost" if is_small_code else "squared error"
    drawn.plot_optimization_history(study, target_name=value)
    yield "history"
    target = "share of the variance, as forecast" if is_small_code else "squared error"
    drawn.plot_slice(study, target=findings.target, target_name=target)
    yield "slice"
    if findings.importances:
        _draw_importances(findings.importances, target)
        yield "importances"
    if is_small_code:
        _draw_shares(findings)
        yield "code_and_share"


def _draw_importances(importances: Mapping[str, float], target: str) -> None:
    """Draws a bar for each parameter, the most important one above."""
    names = list(importances)[::-1]
    _, axes = plt.subplots()
    bars = axes.barh(names, [importances[name] for name in names])
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set_xlim(0, 1)
    axes.set_xlabel(f"importance for the {target}")


def _draw_shares(findings: Findings) -> None:
    """Draws the share of the variance by code size: of trials, and of trainings in full."""
    style: dict[Any, Any] = {**mpl.rcParamsDefault, **SHARES_STYLE}
    with mpl.rc_context(style):  # Optuna's drawings leave their style behind
        _, axes = plt.subplots()
        _draw_trials(axes, findings)
        _draw_in_full(axes, findings)
        _draw_share(axes, findings.tune, "asked of a training", color="black", linestyle="--")
        judged = findings.first.forecast.judge(findings.tune)
        _draw_share(axes, judged, "needed by a trial", color="tab:gray", linestyle=":")
        axes.set_xlabel("code size")
        axes.set_ylabel("variance of validation rows kept, %")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.margins(0.06, 0.1)
        plt.subplots_adjust(top=0.92)  # below the title
        # below the axes, where it covers no point
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, frameon=False)


def _draw_share(axes: Axes, tune: FixedTune, words: str, **style: Any) -> None:
    """Draws the share of the variance that these settings ask for."""
    label = f"{words}: {tune.asked_share}"
    axes.axhline(100 * tune.explained_variance, label=label, **style)


def _draw_trials(axes: Axes, findings: Findings) -> None:
    """Draws a point for each complete trial."""
    sizes = []
    shares = []
    for trial in complete(findings.trials):
        code_size, _, kept = ranked(trial)
        sizes.append(code_size)
        shares.append(100 * kept)
    epochs = trial_plan(findings.plan, findings.tune).train.epochs
    label = f"trials, {epochs} epochs"
    axes.scatter(sizes, shares, s=40, color="tab:gray", alpha=0.6, linewidths=0, label=label)


def _draw_in_full(axes: Axes, findings: Findings) -> None:
    """Draws the trainings in full, joined where they differ in the code size, and what is taken."""
    tuned: list[Result] = []
    untuned: list[Result] = []
    for final in findings.decision.tried:
        group = untuned if final.number is None else tuned
        group.append(final.result)
    _draw_results(axes, tuned, marker="o", color="tab:blue", label="trial's values, in full")
    # drawn above the others, but hollow
    style: dict[str, Any] = {
        "marker": "D",
        "markerfacecolor": "none",
        "markeredgewidth": 2,
        "zorder": 3,
    }
    _draw_results(axes, untuned, color="tab:orange", label="untuned values, in full", **style)
    taken = findings.decision.taken.result
    place = (taken.code_size, 100 * taken.explained_variance)
    axes.scatter(*place, s=350, facecolors="none", edgecolors="black", linewidths=2, label="taken")


def _draw_results(axes: Axes, results: Sequence[Result], **style: Any) -> None:
    """Draws a line through the trainings in full, from the smallest code to the largest."""
    if not results:
        return  # nor is it named in the legend
    in_order = sorted(results, key=lambda result: result.code_size)
    sizes = [result.code_size for result in in_order]
    shares = [100 * result.explained_variance for result in in_order]
    axes.plot(sizes, shares, linewidth=1, markersize=8, **style)
