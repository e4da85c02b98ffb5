"""`python -m ticketintel_pipelines.documents` writes the generated documents; a test holds them current."""

import textwrap
from pathlib import Path

from ticketintel_pipelines.catalog import DOMAINS
from ticketintel_pipelines.contract.documents import data_dictionary, raw_contract
from ticketintel_pipelines.settings import VARIABLES
from ticketintel_pipelines.stages.view import views_of

REPOSITORY = Path(__file__).parents[1]


def documents() -> dict[Path, str]:
    """Each generated document by its path within the repository."""
    texts: dict[Path, str] = {}
    for domain in DOMAINS:
        views = [(view.name, view.description, view.columns) for view in views_of(domain)]
        texts[Path("sql") / domain.name / "DICTIONARY.md"] = data_dictionary(domain, views)
        texts[Path("data") / f"RAW_CONTRACT_{domain.name}.md"] = raw_contract(domain)
    texts[Path(".env.example")] = _environment_example()
    return texts


def _environment_example() -> str:
    """Every environment variable with its description and default; Dagster reads a `.env` beside it."""
    lines = ["# Copy to .env what you change: `dagster dev` reads that file, for `ticketintel` export the variables."]
    for variable in VARIABLES:
        lines += ["", *textwrap.wrap(variable.description, 118, initial_indent="# ", subsequent_indent="# ")]
        lines.append(f"# {variable.name}={variable.default}")
    return "\n".join(lines) + "\n"


def main() -> None:
    for path, text in documents().items():
        (REPOSITORY / path).write_text(text)
        print(path)


if __name__ == "__main__":
    main()
