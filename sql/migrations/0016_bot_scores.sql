-- How likely it is that a program made a visit.

CREATE TABLE ticketing.bot_scores (
    session_id      text NOT NULL,
    started_at      timestamp with time zone NOT NULL,
    user_id         text,
    bot_probability double precision NOT NULL,
    is_bot          boolean NOT NULL,
    rules_fired     text NOT NULL,
    top_features    text,
    scored_at       timestamp with time zone NOT NULL,
    model_version   text NOT NULL,
    PRIMARY KEY (session_id, started_at)
) PARTITION BY RANGE (started_at);
CREATE INDEX bot_scores_by_time ON ticketing.bot_scores USING brin (started_at);

-- What an account's visits looked like, and what must be rewritten when it is erased.
CREATE INDEX bot_scores_by_user ON ticketing.bot_scores (user_id);
