"""Where the SQL of the models of ticketing lies."""

from ticketintel_pipelines.ticketing.tables import TICKETING
from ticketintel_pipelines.warehouse.migrations import SQL_FOLDER

QUERIES = SQL_FOLDER / TICKETING.name / "models"
