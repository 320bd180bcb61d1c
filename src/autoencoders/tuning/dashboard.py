"""What people read of a study in optuna-dashboard: names of its values, notes and attributes.

Optuna lets nobody change a finished trial. So the one that is taken is marked by a note, which
optuna-dashboard shows with the trial and stores with the study.
"""

from optuna import Study
from optuna.trial import FrozenTrial

from autoencoders.data.prepared.prepared import Description
from autoencoders.params.sections import Tune
from autoencoders.tuning.trials import DATA_SET, MODEL_TYPE, TRIAL

METRIC_NAMES = {  # of a trial's value, by objective
    "smallest_code": "code size and share of the variance lost",
    "smallest_error": "squared error",
}
# attributes of a study
GOAL = "looks for"
TAKEN = "taken"
TAKEN_NUMBER = "taken (number in Optuna)"
TAKEN_NOTE = "**Taken**: the training uses this trial's values."
EARLIER_NOTE = "An earlier, shorter state of the study took this trial."
OURS = (TAKEN_NOTE, EARLIER_NOTE)  # all other notes are the users'


def describe(study: Study, model_type: str, data: Description, tune: Tune) -> None:
    """Names the study's values, and says in plain words what it looks for.

    Writes only what differs. The note is written once, so that users may change it.
    """
    names = [METRIC_NAMES[tune.objective]]
    if study.metric_names != names:
        study.set_metric_names(names)
    attributes = {DATA_SET: data.name, MODEL_TYPE: model_type, GOAL: goal(tune)}
    for name, value in attributes.items():
        set_attribute(study, name, value)
    if read_note(study) is None:
        write_note(study, note(model_type, data, tune))


def set_attribute(study: Study, name: str, value: object) -> None:
    """Writes a study's attribute if it has another value, or none."""
    if study.user_attrs.get(name) != value:
        study.set_user_attr(name, value)


def goal(tune: Tune) -> str:
    """The aim of a study, with the asked share of the variance."""
    if tune.objective == "smallest_code":
        return (
            f"the smallest code that keeps {tune.asked_share} of the variance of the "
            "validation rows"
        )
    return "the smallest squared error on the validation rows, at the code size of the parameters"


def note(model_type: str, data: Description, tune: Tune) -> str:
    """A study's note, in Markdown. It holds only what stays the same as the study goes on."""
    lines = [
        f"Values for the **{model_type}** autoencoder of the data set **{data.name}**.",
        "",
        "- *squared error*: of the reconstruction of a validation row, on the model's scale, "
        "summed over features; the mean over rows.",
        "- *variance kept*: the share of the validation rows' variance that the reconstruction "
        "explains; 1 means without loss.",
        "- *code size*: the numbers that the encoder makes of a row, and from which the decoder "
        "rebuilds it.",
    ]
    if tune.objective == "smallest_code":
        lines.append(
            "- The study looks for the smallest code, and of equal codes for the one that loses "
            "least; a constraint holds what a training would miss of the asked share, and is at "
            "most 0 where it would keep it. Trials are short: the best one's values and the "
            "untuned ones are trained in full, and the smallest code of both that keeps the share "
            "is taken; if none does, the least error."
        )
    lines += [
        f"- *{TRIAL}*: a trial's number in `tuned/{model_type}/trials.csv` and in MLflow. "
        "Optuna's own numbers also count trials whose worker was killed.",
        f"- *{TAKEN}*: the trial whose values the training uses.",
    ]
    return "\n".join(lines)


def mark_taken(study: Study, trial: FrozenTrial | None, text: str) -> None:
    """Marks the trial whose values the training takes, on the study and with a note on the trial.

    trial: None where the untuned values are taken. text: what is taken, and what it achieves.
    """
    number = None if trial is None else trial.number
    earlier = study.user_attrs.get(TAKEN_NUMBER)
    if earlier not in (None, number):
        _mark(study, study.get_trials(deepcopy=False)[earlier], EARLIER_NOTE)
    if trial is not None:
        _mark(study, trial, TAKEN_NOTE)
    set_attribute(study, TAKEN, text)
    set_attribute(study, TAKEN_NUMBER, number)


def _mark(study: Study, trial: FrozenTrial, text: str) -> None:
    """Writes a trial's note, unless it is there, or a user has written one."""
    present = read_note(study, trial)
    if present != text and present in (None, "", *OURS):
        write_note(study, text, trial)


def read_note(study: Study, trial: FrozenTrial | None = None) -> str | None:
    """The beginning of a study's or trial's note; None where it never had one."""
    attributes = study._storage.get_study_system_attrs(study._study_id)
    if _version_key(trial) not in attributes:
        return None
    return str(attributes.get(_text_key(trial), ""))


def write_note(study: Study, text: str, trial: FrozenTrial | None = None) -> None:
    """Writes a study's or trial's note as optuna-dashboard stores it, of one piece.

    Importing optuna-dashboard for this would cost a stage the import of a web server.
    """
    storage = study._storage
    attributes = storage.get_study_system_attrs(study._study_id)
    version = attributes.get(_version_key(trial), 0) + 1
    storage.set_study_system_attr(study._study_id, _version_key(trial), version)
    storage.set_study_system_attr(study._study_id, _text_key(trial), text)


def _version_key(trial: FrozenTrial | None) -> str:
    return f"{_prefix(trial)}note_ver"


def _text_key(trial: FrozenTrial | None) -> str:
    return f"{_prefix(trial)}note_str:0"


def _prefix(trial: FrozenTrial | None) -> str:
    if trial is None:
        return "dashboard:"
    return f"dashboard:{trial._trial_id}:"
