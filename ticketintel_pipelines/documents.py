"""`python -m ticketintel_pipelines.documents` writes the generated documents; a test holds them current."""

from pathlib import Path

from ticketintel_pipelines.catalog import DOMAINS
from ticketintel_pipelines.contract.documents import data_dictionary, raw_contract
from ticketintel_pipelines.stages.view import views_of

REPOSITORY = Path(__file__).parents[1]


def documents() -> dict[Path, str]:
    """Each generated document by its path within the repository."""
    texts: dict[Path, str] = {}
    for domain in DOMAINS:
        views = [(view.name, view.description, view.columns) for view in views_of(domain)]
        texts[Path("sql") / domain.name / "DICTIONARY.md"] = data_dictionary(domain, views)
        texts[Path("data") / f"RAW_CONTRACT_{domain.name}.md"] = raw_contract(domain)
    return texts


def main() -> None:
    for path, text in documents().items():
        (REPOSITORY / path).write_text(text)
        print(path)


if __name__ == "__main__":
    main()
