"""The knee and the table of the rate-distortion curve.

The whole command is in tests/end_to_end/test_studies.py.
"""

import csv
import os
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest

from autoencoders.experiments.rate_distortion import curves, knee, table
from repository import PATIENCE


@pytest.mark.parametrize(
    ("at", "errors"), [(2, [10, 2, 1, 0]), (4, [10, 9, 1, 0]), (8, [8, 7, 6, 1, 0])]
)
def test_the_knee_is_where_a_steep_fall_ends(at, errors):
    sizes = [1, 2, 4, 8, 16][: len(errors)]
    assert knee(sizes, np.array(errors, float)) == at


def test_neither_the_unit_of_the_error_nor_of_the_code_size_moves_the_knee():
    errors = np.array([9.0, 4.0, 2.0, 1.5, 1.4])
    sizes = [2, 4, 8, 16, 32]
    assert (
        knee(sizes, errors)
        == knee(sizes, 7 * errors + 3)
        == knee([10 * size for size in sizes], errors) / 10
    )


def test_a_curve_that_does_not_fall_has_its_knee_at_the_smallest_code():
    assert knee([2, 4, 8], np.ones(3)) == 2


def test_the_table_has_a_line_a_code_size_with_mean_and_band_of_the_test_error():
    points = [(2, 1.0, 2.0), (2, 3.0, 4.0), (4, 0.5, 1.0), (4, 0.5, 1.0)]
    names = ("model", "code_size", "test", "validation")
    result = curves([dict(zip(names, ("sparse", *point), strict=True)) for point in points])
    first, second = csv.DictReader(table(result).splitlines())
    assert first == {
        "code_size": "2",
        "sparse": "2.0",
        "sparse_low": "1.0",
        "sparse_high": "3.0",
        "sparse_validation": "3.0",
    }
    assert (second["sparse"], second["sparse_low"], second["sparse_high"]) == ("0.5", "0.5", "0.5")


WORKERS = """
import multiprocessing, os, time
from concurrent.futures import ProcessPoolExecutor
from autoencoders.experiments.rate_distortion import _begin_worker
with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin_worker) as pool:
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 3600)
"""


def test_a_worker_ends_with_its_parent_that_was_killed():
    with subprocess.Popen(
        [sys.executable, "-c", WORKERS], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        worker.wait(timeout=PATIENCE)
