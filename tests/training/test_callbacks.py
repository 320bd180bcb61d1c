"""Callbacks: lines of a log, patience, the best epoch."""

from autoencoders.training.callbacks import SELECTION_METRIC, Progress
from autoencoders.training.fit import fit
from trainings import QUICK, trained


def test_a_log_tells_each_epoch_in_a_line(params, data, capsys):
    params = params.override({**QUICK, "train.epochs": 2})
    history = fit(
        params.plan("sparse", data.description.facts), data, callbacks=[Progress("sparse")]
    ).history
    parts = [(means["train/reconstruction_loss"], means[SELECTION_METRIC]) for means in history]
    lines = [
        f"epoch {n}/2 sparse train {train:.4f} val {val:.4f}"
        for n, (train, val) in enumerate(parts, 1)
    ]
    assert capsys.readouterr().out.splitlines() == lines


def test_training_stops_when_patience_is_over_and_gives_the_best_weights(params, data, tmp_path):
    params = params.override(
        {**QUICK, "train.epochs": 200, "train.patience": 3, "train.learning_rate": 0.3}
    )
    fitted = trained("undercomplete", params, data, tmp_path)
    errors = [means[SELECTION_METRIC] for means in fitted.history]
    best = errors.index(min(errors)) + 1
    assert fitted.model.description.best_epoch == best
    assert fitted.model.description.epochs == len(errors) == best + 3


def test_epochs_in_which_the_kl_warms_up_are_never_the_best(params, data, tmp_path):
    params = params.override(
        {**QUICK, "models.variational.warmup": 0.95, "models.variational.beta": 8.0}
    )
    fitted = trained(
        "variational",
        params.override({"train.epochs": 60, "train.learning_rate": 0.02}),
        data,
        tmp_path,
    )
    assert fitted.model.description.best_epoch > 57
    errors = [means[SELECTION_METRIC] for means in fitted.history]
    assert min(errors) < min(
        errors[57:]
    )  # the test means something: a warm-up epoch had the lower error
