-- Which segment and which persona each wallet belongs to, at the end of a day.

CREATE TABLE ticketing.wallet_segments (
    wallet_address text NOT NULL,
    day            timestamp with time zone NOT NULL,
    segment        text NOT NULL,
    segment_name   text NOT NULL,
    persona        text NOT NULL,
    persona_name   text NOT NULL,
    is_outlier     boolean NOT NULL,
    distance       double precision NOT NULL,
    value_eth      double precision NOT NULL,
    trades         bigint NOT NULL,
    recency_days   double precision NOT NULL,
    resale_share   double precision NOT NULL,
    markup_ratio   double precision,
    hold_days      double precision,
    events         bigint,
    scored_at      timestamp with time zone NOT NULL,
    model_version  text NOT NULL,
    PRIMARY KEY (wallet_address, day)
) PARTITION BY RANGE (day);
CREATE INDEX wallet_segments_by_time ON ticketing.wallet_segments USING brin (day);
