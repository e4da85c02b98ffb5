"""Rows of the platform's tables around one sale, as text of raw files."""

from pathlib import Path

from ticketintel_pipelines_tests.assets.handing_in import CONTRACT, address, write

USERS = "user_id,created_at,wallet_address,email,is_verified,updated_at\n"
USER = USERS + f"u1,2026-01-01T08:00:00Z,{address('b')},a@b.example,true,\n"
EVENTS = (
    "event_id,created_at,name,category,venue,city,country_code,organiser_id,contract_address,capacity,face_value_usd,"
    f"on_sale_at,starts_at\ne1,2026-01-01T08:00:00Z,Night,concert,Hall,Bern,CH,o1,{CONTRACT},100,40.00,"
    "2026-01-01T09:00:00Z,2026-02-01T19:00:00Z\n"
)
TICKETS = (
    "ticket_id,issued_at,event_id,contract_address,token_id,tier,face_value_usd\n"
    f"t1,2026-01-01T10:00:00Z,e1,{CONTRACT},5,standard,40.00\n"
)
SESSIONS = "session_id,started_at,user_id,ip_address,device_id,latitude,longitude,page_views,updated_at\n"
SESSION = "s1,2026-01-01T09:30:00Z,u1,10.0.0.1,phone,46.9,7.4,3,{}\n"
ORDERS = "order_id,created_at,user_id,event_id,session_id,market,quantity,amount,currency,status,transaction_hash,updated_at\n"
ORDER = f"o1,2026-01-01T09:40:00Z,u1,e1,s1,primary,1,42.50,USD,paid,0x{'1':0>64},{{}}\n"
PAYMENTS = "payment_id,paid_at,order_id,user_id,method,instrument_id,amount,currency,status,updated_at\n"
PAYMENT = "p1,2026-01-01T09:45:00Z,o1,u1,card,visa,42.50,USD,{},{}\n"
CHARGEBACKS = "chargeback_id,received_at,payment_id,amount,currency,reason\n"
REVIEWS = "review_id,decided_at,transaction_id,verdict,fraud_kind,reviewer_id,updated_at\n"


def platform(folder: Path, *, sessions: str = "", orders: str = "", payments: str = "", **more: str) -> Path:
    """The platform's tables of that sale; none of them was changed later unless it is given otherwise."""
    return write(
        folder,
        **{
            "users": USER,
            "events": EVENTS,
            "tickets": TICKETS,
            "sessions": SESSIONS + (sessions or SESSION.format("")),
            "orders": ORDERS + (orders or ORDER.format("")),
            "payments": PAYMENTS + (payments or PAYMENT.format("captured", "")),
            **more,
        },
    )
