-- Scores know the time of their transaction, and what is watched of a model in use: drift by day, performance by week.

ALTER TABLE ticketing.fraud_predictions ADD COLUMN occurred_at timestamp with time zone;
UPDATE ticketing.fraud_predictions p SET occurred_at = t.occurred_at
FROM ticketing.transactions t WHERE t.transaction_id = p.transaction_id;
ALTER TABLE ticketing.fraud_predictions ALTER COLUMN occurred_at SET NOT NULL;
CREATE INDEX fraud_predictions_by_occurrence ON ticketing.fraud_predictions (occurred_at);
CREATE INDEX fraud_predictions_to_look_at ON ticketing.fraud_predictions (decision, occurred_at) WHERE decision <> 'APPROVED';

CREATE TABLE ops.model_drift (
    domain          text             NOT NULL,
    model           text             NOT NULL,
    day             date             NOT NULL,
    feature         text             NOT NULL,
    version         text             NOT NULL,
    rows            bigint           NOT NULL,
    content_hash    text             NOT NULL,
    kl_divergence   double precision,
    mean_shift      double precision,
    kind            text,
    statistic       double precision,
    threshold       double precision,
    drifted         boolean          NOT NULL,
    measured_at     timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (domain, model, day, feature)
);
COMMENT ON TABLE ops.model_drift IS 'How far each feature, and the score, of a scored day lies from what its model was trained on.';
COMMENT ON COLUMN ops.model_drift.kl_divergence IS 'Reported against the specification''s 0.15; the decision does not rest on it.';
COMMENT ON COLUMN ops.model_drift.mean_shift IS 'Change of the mean as a share of the reference''s; reported against the escrow''s 20 %.';
COMMENT ON COLUMN ops.model_drift.drifted IS 'The statistic is above what chance gives at this number of rows.';

CREATE TABLE ops.model_performance (
    domain              text        NOT NULL,
    model               text        NOT NULL,
    week                date        NOT NULL,
    labels_until        date        NOT NULL,
    rows                bigint      NOT NULL,
    known_positives     bigint      NOT NULL,
    found_positives     bigint      NOT NULL,
    false_alarms        bigint      NOT NULL,
    average_precision   double precision,
    measured_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain, model, week)
);
COMMENT ON TABLE ops.model_performance IS
    'Scores of a week (its Monday) against the labels known when it was last measured; it changes as long as labels arrive.';
