"""The failures that a person can mend, and the exit codes they end a command with.

Anything else that goes wrong is a defect of the program and keeps its traceback.
"""

EXIT_BAD_INPUT = 2
EXIT_UNAVAILABLE = 2
EXIT_RUN_FAILED = 3


class TicketIntelError(Exception):
    """A failure told in one sentence: what is wrong, where, and what to do about it."""

    exit_code = 1


class BadInputError(TicketIntelError):
    """What was handed in breaks the contract; retrying without changing it cannot help."""

    exit_code = EXIT_BAD_INPUT


class UnavailableError(TicketIntelError):
    """Something the pipeline stands on (database, disk) is not there; retrying may help."""

    exit_code = EXIT_UNAVAILABLE


class PublishRefusedError(TicketIntelError):
    """A critical rule failed: what was published before stays as it is."""

    exit_code = EXIT_RUN_FAILED
