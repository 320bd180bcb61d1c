"""Splits the data into rows of features and fits their scaling on the training rows."""

from autoencoders.reporting import reporting

if __name__ == "__main__":
    with reporting():
        from autoencoders.data.prepare import prepare
        from autoencoders.data.prepared import REPORT
        from autoencoders.files import read_json
        from autoencoders.params import load_params
        from autoencoders.stage import DATA, RAW

        description = prepare(RAW, DATA, load_params().data)
        print(f"{description.name}: {description.rows}, {description.schema.n_features} features", flush=True)
        print(*read_json(DATA / REPORT)["told"], sep="\n")
