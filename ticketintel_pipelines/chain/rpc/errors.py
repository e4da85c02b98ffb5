"""What can go wrong between a question to a node and its answer, by what is to be done about it."""

from ticketintel_pipelines.errors import BadInputError

SETTING = "TICKETINTEL_CHAIN_RPC_URL"
"""The variable that names the endpoints; sentences for people refer to it."""


class PermanentRpcError(BadInputError):
    """Asking again cannot help; the sentence says what to change."""


class MissingMethodError(PermanentRpcError):
    """The endpoint does not offer this method."""


class RefusedQuestionError(PermanentRpcError):
    """The endpoint calls the question wrong."""


class MixedChainsError(PermanentRpcError):
    """The endpoints serve different chains."""


class EndpointTroubleError(Exception):
    """Asking again, or asking another endpoint, may help.

    `wait_seconds` is how long the endpoint itself asked to be left alone; None where it did not say.
    """

    def __init__(self, what: str, wait_seconds: float | None = None) -> None:
        super().__init__(what)
        self.wait_seconds = wait_seconds


class RateLimitedError(EndpointTroubleError):
    """The endpoint wants fewer questions."""


class AnswerTimeoutError(EndpointTroubleError):
    """The endpoint took too long, by its own measure or by ours."""


class LaggingEndpointError(EndpointTroubleError):
    """The endpoint does not have a block that others have."""


class WrongAnswerError(EndpointTroubleError):
    """The answer contradicts itself, the question or the headers."""


class TooManyResultsError(Exception):
    """The range holds more than the endpoint gives at once.

    `most_blocks` is the longest range that the endpoint says would do; None where it names none.
    """

    def __init__(self, what: str, most_blocks: int | None = None) -> None:
        super().__init__(what)
        self.most_blocks = most_blocks
