"""Layer widths as rules over all their inputs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoencoders.params.architecture import layer_widths

layers = st.integers(0, 32)
nodes = st.integers(1, 65_536)
codes = st.integers(1, 65_536)
anything = settings(deadline=None, derandomize=True, database=None)


def test_each_layer_has_half_the_nodes_of_the_one_before():
    assert layer_widths(4, 128, code_size=1) == tuple(128 // 2**layer for layer in range(4))


def test_an_odd_width_is_halved_downwards():
    assert layer_widths(3, 7, code_size=1) == (7, 7 // 2, 7 // 4)


def test_halving_stops_at_the_code_size():
    assert layer_widths(5, 128, code_size=30) == tuple(
        max(128 // 2**layer, 30) for layer in range(5)
    )


def test_layers_narrower_than_the_code_stay_as_wide_as_the_first():
    assert layer_widths(3, 16, code_size=100) == (16, 16, 16)


@pytest.mark.parametrize("nodes_per_layer", [128, []])
def test_no_layers_give_no_widths(nodes_per_layer):
    assert layer_widths(0, nodes_per_layer, code_size=8) == ()


@pytest.mark.parametrize("widths", [[100], [90, 70, 70, 3]])
def test_a_list_is_taken_as_it_is(widths):
    assert layer_widths(len(widths), widths, code_size=50) == tuple(widths)


@anything
@given(layers, nodes, codes)
def test_there_is_one_width_a_layer_and_the_first_is_the_given_one(n_layers, first, code_size):
    widths = layer_widths(n_layers, first, code_size)
    assert len(widths) == n_layers
    assert widths[:1] == (first,) * min(n_layers, 1)


@anything
@given(layers, nodes, codes)
def test_widths_never_rise_towards_the_code(n_layers, first, code_size):
    widths = layer_widths(n_layers, first, code_size)
    assert list(widths) == sorted(widths, reverse=True)


@anything
@given(layers, nodes, codes)
def test_no_layer_is_narrower_than_the_code_unless_the_first_is(n_layers, first, code_size):
    assert all(width >= min(code_size, first) for width in layer_widths(n_layers, first, code_size))


@anything
@given(layers, nodes, codes)
def test_a_layer_is_half_the_one_before_or_at_the_floor(n_layers, first, code_size):
    widths = layer_widths(n_layers, first, code_size)
    for wider, narrower in zip(widths, widths[1:], strict=False):
        assert narrower in (wider // 2, min(code_size, first))


@anything
@given(layers, nodes, codes, st.integers(1, 100))
def test_a_deeper_network_begins_with_the_layers_of_a_shallower_one(
    n_layers, first, code_size, more
):
    shallow = layer_widths(n_layers, first, code_size)
    assert layer_widths(n_layers + more, first, code_size)[:n_layers] == shallow


@anything
@given(layers, nodes, codes)
def test_a_convolution_doubles_its_channels_towards_the_code_up_to_the_given_ones(
    n_layers, last, code_size
):
    widths = layer_widths(n_layers, last, code_size, "conv")
    assert len(widths) == n_layers
    assert widths[-1:] == (last,) * min(n_layers, 1)
    for narrower, wider in zip(widths, widths[1:], strict=False):
        assert narrower == max(1, wider // 2)


@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_a_list_is_taken_as_it_is_by_either_kind(kind):
    assert layer_widths(2, [16, 32], code_size=50, kind=kind) == (16, 32)
