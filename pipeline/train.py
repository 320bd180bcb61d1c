"""Trains one type: `python pipeline/train.py sparse`."""

from autoencoders.reporting import reporting

if __name__ == "__main__":
    with reporting():
        import sys

        from autoencoders.callbacks import Progress, ResumePoint
        from autoencoders.checkpoint import save
        from autoencoders.data.prepared import load_prepared
        from autoencoders.identity import fingerprint
        from autoencoders.params import load_params
        from autoencoders.stage import DATA, MODELS, RESUME, repository
        from autoencoders.tracking.recorder import training_run
        from autoencoders.training import fit
        from autoencoders.tuning.stage import tuned

        kind, data = sys.argv[1], load_prepared(DATA)
        params = tuned(load_params(), kind)
        values = params.flatten(kind, data.description.facts)
        mark = fingerprint("train", values, data.description.content_sha256)
        with (
            ResumePoint(repository() / RESUME / mark) as resume,
            training_run(data.description, values, mark, resumed=resume.start is not None) as run,
        ):
            log = None if run is None else run.epoch
            fitted = fit(kind, params, data, log=log, fingerprint=mark, resume=resume, callbacks=[Progress(kind)])
            save(fitted.model, fitted.history, MODELS / kind)
