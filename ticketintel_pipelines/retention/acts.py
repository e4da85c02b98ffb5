"""What an act is, on tables and the archive as on the lake, and a plan of such acts."""

from dataclasses import dataclass
from datetime import date
from typing import Generic, Protocol, TypeVar


class AnyAct(Protocol):
    """One act of a plan; `stopped` says why it is not to be done, and `holds` numbers the legal holds among the reasons."""

    @property
    def title(self) -> str:
        """What it does, to what, and in which month."""

    @property
    def words(self) -> str:
        """The title with what the act is about, and what stops it."""

    @property
    def rows(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def first_day(self) -> date | None: ...
    @property
    def last_day(self) -> date | None: ...
    @property
    def stopped(self) -> str | None: ...
    @property
    def holds(self) -> tuple[int, ...]: ...


ActT = TypeVar("ActT", bound=AnyAct, covariant=True)


@dataclass(frozen=True)
class Plan(Generic[ActT]):
    """The acts that are due in a domain under one version of the policy, in the order in which they are to be done."""

    domain: str
    today: date
    policy_version: str
    acts: tuple[ActT, ...]

    @property
    def due(self) -> tuple[ActT, ...]:
        """Those that nothing stops."""
        return tuple(act for act in self.acts if act.stopped is None)

    @property
    def stopped(self) -> tuple[ActT, ...]:
        return tuple(act for act in self.acts if act.stopped is not None)
