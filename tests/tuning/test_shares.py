"""Shares of the variance that are kept on a training's way."""

from pathlib import Path

import pytest

from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.models.trained.fidelity import fidelity
from autoencoders.training.fit import fit
from autoencoders.tuning.shares import PARTS, Shares
from trainings import QUICK, StopError


@pytest.fixture
def data(digits: Path) -> Prepared:
    return load_prepared(digits)


@pytest.mark.parametrize(
    ("epochs", "measured"),
    [(1, []), (2, [1]), (3, [1, 2]), (PARTS, [1, 2, 3, 4]), (2 * PARTS, [2, 4, 6, 8])],
)
def test_a_share_is_measured_after_each_fifth_of_the_epochs_but_the_last(
    params, data, epochs, measured
):
    noted = []
    quick = params.override({**QUICK, "train.epochs": epochs})
    plan = quick.plan("undercomplete", data.description.facts)
    shares = Shares(data, lambda epoch, _: noted.append(epoch))
    fit(plan, data, callbacks=[shares], trial=True)
    assert noted == measured


def test_measuring_changes_no_training_and_gives_the_share_of_the_weights_at_that_epoch(
    params, data
):
    quick = params.override({**QUICK, "train.epochs": 2, "network.linear_path": False})
    plan = quick.plan("variational", data.description.facts)
    noted: dict[int, float] = {}
    shares = Shares(data, noted.__setitem__)
    measured = fit(plan, data, callbacks=[shares], trial=True)
    assert measured.history == fit(plan, data, trial=True).history
    _, kept = fidelity(measured.model.reconstruct, data, "validation")
    assert noted[1] < kept  # the second epoch is the better one


def test_what_the_report_raises_ends_the_training(params, data):
    def stop(epoch: int, kept: float) -> None:
        raise StopError

    plan = params.override(QUICK).plan("undercomplete", data.description.facts)
    with pytest.raises(StopError):
        fit(plan, data, callbacks=[Shares(data, stop)], trial=True)
