"""A training on rows with sentinels: its verdicts are those of a training without them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.models.pca import PrincipalComponents
from autoencoders.models.trained.fidelity import fidelity
from autoencoders.params.params import Params
from autoencoders.serving.inference import answer
from autoencoders.training.fit import Fitted, fit
from tables import prepared_table, table_of

N = 1500
SENTINELS = (-9999.0, 65535.0, 1e12)
NEW = pd.DataFrame({"temp": [20.0, 60, 95, -40, -9999, 20], "press": [40.0, 40, 40, 40, 40, 1e12]})
VERDICTS = [False, True, True, True, True, True]
REBUILDING: dict[str, Any] = {
    "train.trim": 0.0,
    "network.linear_path": "auto",
    "train.epochs": 100,
    "train.patience": 0,
}


def measurements(n_sentinels: int) -> pd.DataFrame:
    """Temperatures and pressures, of which some rows have sentinels in both columns."""
    rng = np.random.default_rng(0)
    temp = rng.normal(20, 2, N)
    table = pd.DataFrame({"temp": temp, "press": 20 + temp + rng.normal(0, 1, N)}).round(3)
    rows = rng.permutation(N)[:n_sentinels]
    for i, row in enumerate(rows):
        table.loc[row, "temp"] = SENTINELS[i % 3]
        table.loc[row, "press"] = SENTINELS[(i + 1) % 3]
    return table


def fitted(
    params: Params, folder: Path, scaling: str, n_sentinels: int, values: dict[str, Any]
) -> tuple[Fitted, Prepared]:
    """A training on the measurements."""
    table = measurements(n_sentinels)
    changed, data = prepared_table(params.override(values), table, folder, scaling=scaling)
    return fit(changed.plan("undercomplete", data.description.facts), data), data


@pytest.mark.parametrize("values", [{}, REBUILDING], ids=["as a table", "to rebuild"])
@pytest.mark.parametrize("n_sentinels", [1, 8, 30])
@pytest.mark.parametrize("scaling", ["standard", "minmax", "robust"])
def test_verdicts_hold_however_many_sentinels_there_are(
    scaling, n_sentinels, values, params, tmp_path
):
    model = fitted(params, tmp_path, scaling, n_sentinels, values)[0].model
    answers = table_of(answer(model, "score", NEW))
    assert answers["anomaly"].tolist() == VERDICTS
    assert answers["reasons"][4].startswith("temp")
    assert answers["reasons"][5].startswith("press")


def test_errors_and_pca_stay_what_they_are_without_sentinels(params, tmp_path):
    """In model scale, of the test rows without sentinels."""
    results = {}
    for n_sentinels in (0, 8):
        folder = tmp_path / str(n_sentinels)
        folder.mkdir()
        training, data = fitted(params, folder, "standard", n_sentinels, REBUILDING)
        errors, explained = fidelity(training.model.reconstruct, data, "test")
        assert 0.8 < explained < 1
        is_ordinary = (np.abs(data.sample_in_full("test")) < 1000).all(1)
        assert is_ordinary.all() == (n_sentinels == 0)
        pca = PrincipalComponents(map(data.scaled, data.rows["train"])).at(1)
        results[n_sentinels] = np.array([errors[is_ordinary].mean(), pca.deviations[0]])
    np.testing.assert_allclose(results[8], results[0], rtol=0.1)
