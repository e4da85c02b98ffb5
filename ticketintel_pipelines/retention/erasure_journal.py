"""What an erasure under way remembers: who it is about, and what each place held before and after.

This is the one file with the person's identifiers in it, readable by its owner only; it goes as the last step. An erasure that
was broken off goes on from it, with the same person and the same texts in the place of theirs, although the rows that told
who they are may be gone already.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from ticketintel_pipelines.retention.erasure_person import Person
from ticketintel_pipelines.retention.erasure_places import Found, Place

SUFFIX = ".work"


@dataclass
class Journal:
    """The file of one erasure, and what it says."""

    file: Path
    person: Person
    places: dict[str, dict[str, object]] = field(default_factory=dict)
    """By kind and name, in order of their first mention."""

    @classmethod
    def begin(cls, file: Path, person: Person) -> "Journal":
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(".part")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            stream.write(person.encoded + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)
        return cls(file, person)

    @classmethod
    def resume(cls, file: Path) -> "Journal | None":
        """The journal of an erasure that was broken off; None where there is none."""
        if not file.exists():
            return None
        first, *lines = file.read_text().split("\n")
        journal = cls(file, Person.decoded(first))
        # What follows the last end of a line was being written when the process died.
        for line in lines[:-1]:
            journal._take(json.loads(line))
        return journal

    def before(self, place: Place, found: Found) -> None:
        """What a place holds; of one that was met before, nothing new unless more came into it since."""
        known = self.places.get(_named(place))
        rows = found.rows if known is None or "hash_after" in known else 0
        if rows:
            self._write(
                {
                    "kind": place.kind,
                    "name": place.name,
                    "rows": rows,
                    "first_day": found.first_day and str(found.first_day),
                    "last_day": found.last_day and str(found.last_day),
                    "hash_before": found.hash,
                }
            )

    def after(self, place: Place, hash_: str) -> None:
        self._write({"kind": place.kind, "name": place.name, "hash_after": hash_})

    def _write(self, line: dict[str, object]) -> None:
        with self.file.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        self._take(line)

    def _take(self, line: dict[str, object]) -> None:
        known = self.places.setdefault(f"{line['kind']} {line['name']}", dict(line))
        if known is not line and "rows" in line and "rows" in known and "hash_after" in known:
            # A row came in while the others were erased: it counts, the hash before stays the first one.
            known["rows"] = int(str(known["rows"])) + int(str(line["rows"]))
        if "hash_after" in line:
            known["hash_after"] = line["hash_after"]

    def end(self) -> None:
        self.file.unlink()


def _named(place: Place) -> str:
    return f"{place.kind} {place.name}"
