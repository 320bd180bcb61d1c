"""The errors that a user can cause and mend: shown as one message, without a traceback."""


class UserError(Exception):
    """Something that the user can put right; its message says what is wrong and what to do."""


class ParameterError(UserError):
    """A value in params.yaml that can't be used; the message opens with its dotted key."""


class DataError(UserError):
    """A data file that can't be used; the message opens with its name."""


class DivergedError(UserError):
    """A loss that is no longer a finite number."""


class Interrupted(BaseException):
    """Ctrl-C, SIGTERM, or the end of the `dvc` above the stage.

    The same command goes on from there.
    """
