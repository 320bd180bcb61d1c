"""Interleaved trainings, their ratios, and results that hold the kind of processor."""

import json

import pytest

import common
from autoencoders.training import processors
from autoencoders.training.processors import Processor
from timing import Timer, Trained, compared, interleaved


def test_each_round_has_every_recipe_and_begins_with_another_one():
    called: list[str] = []

    def recipe(name: str):
        def train() -> Trained:
            called.append(name)
            return Trained(float(len(called)), 1.0, 0.0)

        return train

    trainings = interleaved({name: recipe(name) for name in "abc"}, 2, "case")
    assert "".join(called) == "abcbcacab"
    assert [trained.seconds for trained in trainings["a"]] == [6.0, 8.0]


def test_a_ratio_above_one_means_that_ours_is_faster():
    ours = [Trained(1.0, 4.0, 0.1), Trained(1.0, 4.0, 0.3), Trained(1.0, 4.0, 0.2)]
    other = [Trained(2.0, 2.0, 0.5), Trained(9.0, 2.0, 0.5), Trained(0.5, 2.0, 0.5)]
    entry = compared("fit", ours, other)
    assert (entry["ratio"], entry["low"], entry["high"]) == (2.0, 0.5, 9.0)
    assert entry["cpu_ratio"] == 0.5
    assert (entry["error"], entry["other_error"]) == (0.2, 0.5)


def test_a_timer_counts_the_processs_own_work():
    with Timer() as timer:
        sum(range(1_000_000))
    assert 0 < timer.cpu_seconds <= 1.1 * timer.seconds + 0.05


@pytest.fixture
def results(monkeypatch, tmp_path):
    """A function that records a ratio on a processor, and returns all that is recorded."""
    monkeypatch.setattr(common, "RESULTS", tmp_path / "results.json")

    def recorded(ratio: float, processor: Processor) -> list[tuple[str, float]]:
        monkeypatch.setattr(processors, "this_processor", lambda: processor)
        common.record([{"name": "fit", "ratio": ratio}])
        entries = json.loads(common.RESULTS.read_text())
        return [(entry["processor"], entry["ratio"]) for entry in entries]

    return recorded


def test_results_replace_those_of_the_same_kind_of_processor_alone(results):
    results(1.0, Processor("An EPYC", "AMD", "avx512_bf16"))
    results(2.0, Processor("A Xeon", "Intel", "avx512_bf16"))
    assert results(3.0, Processor("Another EPYC", "AMD", "avx512_bf16")) == [
        ("Another EPYC", 3.0),
        ("A Xeon", 2.0),
    ]
