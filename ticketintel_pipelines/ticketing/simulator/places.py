"""Cities, names and client texts of the simulated world: neutral made-up words and round coordinates."""

from typing import NamedTuple


class City(NamedTuple):
    name: str
    country: str
    latitude: float
    longitude: float
    weight: float
    """Relative number of inhabitants on the platform."""


CITIES = (
    City("London", "GB", 51.51, -0.13, 9.0),
    City("Manchester", "GB", 53.48, -2.24, 3.0),
    City("Glasgow", "GB", 55.86, -4.25, 2.0),
    City("Paris", "FR", 48.86, 2.35, 6.0),
    City("Lyon", "FR", 45.76, 4.84, 2.0),
    City("Berlin", "DE", 52.52, 13.40, 6.0),
    City("Hamburg", "DE", 53.55, 9.99, 3.0),
    City("Munich", "DE", 48.14, 11.58, 3.0),
    City("Vienna", "AT", 48.21, 16.37, 2.0),
    City("Zurich", "CH", 47.38, 8.54, 1.5),
    City("Amsterdam", "NL", 52.37, 4.90, 3.0),
    City("Brussels", "BE", 50.85, 4.35, 1.5),
    City("Madrid", "ES", 40.42, -3.70, 4.0),
    City("Barcelona", "ES", 41.39, 2.17, 3.5),
    City("Lisbon", "PT", 38.72, -9.14, 1.5),
    City("Milan", "IT", 45.46, 9.19, 3.0),
    City("Rome", "IT", 41.90, 12.50, 3.0),
    City("Copenhagen", "DK", 55.68, 12.57, 1.5),
    City("Stockholm", "SE", 59.33, 18.07, 2.0),
    City("Warsaw", "PL", 52.23, 21.01, 2.0),
    City("New York", "US", 40.71, -74.01, 8.0),
    City("Chicago", "US", 41.88, -87.63, 4.0),
    City("Austin", "US", 30.27, -97.74, 2.5),
    City("Los Angeles", "US", 34.05, -118.24, 6.0),
    City("Toronto", "CA", 43.65, -79.38, 3.0),
    City("Sao Paulo", "BR", -23.55, -46.63, 2.0),
    City("Lagos", "NG", 6.52, 3.38, 1.0),
    City("Singapore", "SG", 1.35, 103.82, 1.5),
    City("Tokyo", "JP", 35.68, 139.69, 2.5),
    City("Sydney", "AU", -33.87, 151.21, 2.0),
)

CATEGORIES = ("concert", "sport", "festival", "theatre", "comedy", "conference")
CATEGORY_SHARES = (0.40, 0.18, 0.10, 0.14, 0.10, 0.08)
STANDING_CATEGORIES = (0, 2)
TIERS = ("standard", "premium", "vip")

ACTS = (
    "Amber", "Blue", "Cedar", "Distant", "Electric", "Falling", "Golden", "Hollow", "Indigo", "Juniper", "Kind",
    "Lunar", "Marble",
    "Northern", "Open", "Paper", "Quiet", "River", "Silver", "Tidal", "Urban", "Velvet", "Winter", "Yellow",
)  # fmt: skip
SHOWS = (
    "Anthem", "Bridge", "Circle", "Derby", "Echoes", "Fair", "Gala", "Horizon", "Island", "Journey", "Lanterns",
    "Meridian", "Nights", "Orchard", "Parade", "Relay", "Sessions", "Stories", "Summit", "Voices",
)  # fmt: skip
VENUE_WORDS = ("Harbour", "Castle", "Garden", "Station", "Market", "Mill", "Park", "Royal", "Union", "West")
VENUE_KINDS = ("Arena", "Hall", "Stage", "Stadium", "Theatre", "Works")

SYLLABLES = (
    "al", "be", "cor", "da", "el", "fin", "ga", "hel", "is", "jo", "ka", "lin", "mar", "no", "or", "pel", "qui", "ro",
    "sa", "ti", "ul", "ven", "wil", "yas", "zo",
)  # fmt: skip
MAIL_DOMAINS = ("example.com", "example.org", "example.net", "mail.example.com")

AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/143.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/143.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36",
    "TicketApp/7.4 (iOS 18.5)",
    "TicketApp/7.4 (Android 15)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/109.0 Safari/537.36",
    "python-requests/2.32.5",
)
AGENT_SHARES = (0.22, 0.20, 0.18, 0.10, 0.06, 0.02, 0.12, 0.095, 0.004, 0.001)
BOT_AGENTS = (5, 8, 9)
"""Positions in `AGENTS` that bots use; some honest visitors use them, too."""

COUNTRIES = tuple(sorted({city.country for city in CITIES}))
COUNTRY_OF_CITY = tuple(COUNTRIES.index(city.country) for city in CITIES)
