-- Verdicts on figures of the market and of its events, hour by hour and day by day.

CREATE TABLE ticketing.stream_verdicts (
    stream        text NOT NULL,
    started_at    timestamp with time zone NOT NULL,
    measure       text NOT NULL,
    event_id      text,
    value         double precision NOT NULL,
    mean          double precision,
    lower         double precision,
    upper         double precision,
    band_slots    bigint NOT NULL,
    band_values   bigint NOT NULL,
    verdict       text NOT NULL,
    scored_at     timestamp with time zone NOT NULL,
    model_version text NOT NULL,
    PRIMARY KEY (stream, started_at)
) PARTITION BY RANGE (started_at);
CREATE INDEX stream_verdicts_by_time ON ticketing.stream_verdicts USING brin (started_at);

-- What is to be looked at, newest first.
CREATE INDEX stream_verdicts_anomalies ON ticketing.stream_verdicts (started_at) WHERE verdict = 'ANOMALY';
