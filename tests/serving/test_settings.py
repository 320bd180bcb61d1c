"""Settings of a request: only those of the schema, each of its type."""

import pytest

from autoencoders.core.errors import DataError
from autoencoders.serving.inference import OPERATIONS, SETTINGS
from autoencoders.serving.settings import check_settings, settings_schema

SCHEMA = settings_schema()


def test_the_schema_holds_the_operation_the_rate_and_every_setting_with_its_default():
    defaults = {spec.name: spec.default for spec in settings_schema(0.01).params}
    assert defaults == {"op": OPERATIONS[0], "false_alarm_rate": 0.01, **SETTINGS}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"op": "encode"},
        {"op": "paint"},  # the model's to refuse
        {"op": "score", "false_alarm_rate": 0.1},
        {"false_alarm_rate": 1},
        {"n": 5, "seed": -(2**63)},
        {"steps": 3, "seed": 2**63 - 1},
    ],
)
def test_settings_of_the_schema_are_taken(settings):
    check_settings(settings, SCHEMA)


REFUSED = {
    "an unknown one": ({"op": "score", "rate": 0.1}, "unknown setting 'rate'; allowed are op, "),
    "a misspelt one": ({"step": 3}, "unknown setting 'step'"),
    "several": ({"a": 1, "b": 2}, "unknown setting 'a', 'b'; "),
    "text for a number": ({"n": "many"}, "params: n = 'many': must be a whole number"),
    "digits in text": ({"n": "3"}, "n = '3': must be a whole number"),
    "a fraction": ({"steps": 3.5}, "steps = 3.5: must be a whole number"),
    "a truth value": ({"seed": True}, "seed = True: must be a whole number"),
    "more than 64 bits": ({"seed": 2**63}, "must be a whole number of 64 bits"),
    "less than 64 bits": ({"seed": -(2**63) - 1}, "must be a whole number of 64 bits"),
    "nothing": ({"n": None}, "n = None: must be a whole number"),
    "no operation": ({"op": None}, "op = None: must be text"),
    "a list of operations": ({"op": ["encode"]}, "op = ['encode']: must be text"),
    "a rate in text": ({"false_alarm_rate": "5 %"}, "must be a number"),
    "a rate without end": ({"false_alarm_rate": 10**400}, "must be a number"),
    "a list": (["op"], "params = ['op']: must be an object"),
    "text": ("encode", "params = 'encode': must be an object"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_others_are_refused_in_one_line_with_what_was_found_and_what_is_allowed(case):
    settings, reason = REFUSED[case]
    with pytest.raises(DataError) as refusal:
        check_settings(settings, SCHEMA)
    message = str(refusal.value)
    assert reason in message
    assert "\n" not in message
    assert len(message) < 200
