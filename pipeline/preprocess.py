"""Splits the data into rows of features and fits their scaling on the training rows."""

from autoencoders.core.imports import importing
from autoencoders.core.reporting import reporting
from autoencoders.core.stage_times import timed

if __name__ == "__main__":
    with reporting(), timed("preprocess"):
        with importing():
            from autoencoders.core.files import read_json
            from autoencoders.core.paths import DATA, RAW
            from autoencoders.data.preparation.prepare import prepare
            from autoencoders.data.prepared.prepared import REPORT, shown_notes
            from autoencoders.params.params import load_params

        description = prepare(RAW, DATA, load_params().data)
        print(
            f"{description.name}: {description.rows}, {description.schema.n_features} features",
            flush=True,
        )
        print(*shown_notes(read_json(DATA / REPORT)["told"]), sep="\n")
