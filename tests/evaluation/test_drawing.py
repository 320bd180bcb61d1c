"""Drawings whose axes fill fixed margins: their labels say what the ticks are, and are whole."""

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg

from autoencoders.evaluation.drawing import CHART_MARGINS, placed_drawing, plain_numbers
from autoencoders.evaluation.figures import CURVES_SIZE, FONT_SIZE

RANGES = [(1e-6, 1e-3), (0.0012, 0.0019), (0.012, 0.018), (0.001, 30), (4.32, 4.33), (20, 90)]
RANGES += [(100, 20_000), (12_500, 17_000), (120_000, 180_000), (5, 5)]


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    """The style of the figures."""
    with mpl.rc_context({**mpl.rcParamsDefault, "font.size": FONT_SIZE}):
        yield


def drawn_axis(low: float, high: float) -> tuple[Axis, float]:
    """The vertical axis of a curve between two values, and the least x of its labels in pixels."""
    label = "mse, sum over features"
    figure, axes = placed_drawing(CURVES_SIZE, CHART_MARGINS, "curve", ylabel=label, yscale="log")
    plain_numbers(axes.yaxis)
    axes.plot([low, high])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return axes.yaxis, axes.yaxis.label.get_window_extent(canvas.get_renderer()).x0


def labelled(axis: Axis) -> dict[float, str]:
    """The labels of the ticks that are shown."""
    low, high = axis.get_view_interval()
    labels = {}
    for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
        place = tick.get_loc()
        if low <= place <= high and tick.label1.get_text():
            labels[place] = tick.label1.get_text().replace("\N{MINUS SIGN}", "-")
    return labels


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_a_label_of_a_logarithmic_axis_is_the_number_at_its_tick(low: float, high: float):
    labels = labelled(drawn_axis(low, high)[0])
    assert len(labels) >= 2
    places = list(labels)
    np.testing.assert_allclose([float(label) for label in labels.values()], places, rtol=1e-5)


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_the_name_of_an_axis_is_not_cut_by_the_figures_edge(low: float, high: float):
    assert drawn_axis(low, high)[1] >= 0
