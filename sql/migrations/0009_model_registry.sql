-- The registry of models: every version that was trained, which of them is in use, and every change of that.

CREATE TABLE ops.model_versions (
    domain          text        NOT NULL,
    model           text        NOT NULL,
    version         text        NOT NULL,
    manifest        jsonb       NOT NULL,
    note            text        NOT NULL DEFAULT '',
    run_id          text        NOT NULL,
    registered_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain, model, version)
);
COMMENT ON TABLE ops.model_versions IS 'Trained models; their files lie under models/ in folders named by the version.';
COMMENT ON COLUMN ops.model_versions.version IS 'The beginning of the SHA-256 of the manifest''s file, 32 hexadecimal digits.';
COMMENT ON COLUMN ops.model_versions.manifest IS 'What the file says, to be asked by SQL; a model is loaded by the file.';
COMMENT ON COLUMN ops.model_versions.note IS 'Why the version was promoted, or was not.';

CREATE TABLE ops.model_aliases (
    domain          text        NOT NULL,
    model           text        NOT NULL,
    alias           text        NOT NULL CHECK (alias IN ('champion', 'challenger', 'previous')),
    version         text        NOT NULL,
    because         text        NOT NULL,
    since           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (domain, model, alias),
    FOREIGN KEY (domain, model, version) REFERENCES ops.model_versions (domain, model, version)
);
COMMENT ON TABLE ops.model_aliases IS
    'Which version scores (champion), which one was trained last (challenger), and which one scored before (previous).';

CREATE TABLE ops.model_alias_changes (
    sequence        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    domain          text        NOT NULL,
    model           text        NOT NULL,
    alias           text        NOT NULL,
    version         text,
    because         text,
    changed_by      text        NOT NULL DEFAULT session_user,
    changed_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX model_alias_changes_by_model ON ops.model_alias_changes (domain, model, sequence);
COMMENT ON TABLE ops.model_alias_changes IS 'Every change of ops.model_aliases, whoever made it; nothing here is changed.';
COMMENT ON COLUMN ops.model_alias_changes.version IS 'Null where the alias was taken away.';

CREATE FUNCTION ops.note_alias_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO ops.model_alias_changes (domain, model, alias) VALUES (OLD.domain, OLD.model, OLD.alias);
        RETURN OLD;
    END IF;
    INSERT INTO ops.model_alias_changes (domain, model, alias, version, because)
    VALUES (NEW.domain, NEW.model, NEW.alias, NEW.version, NEW.because);
    RETURN NEW;
END;
$$;
CREATE TRIGGER alias_changes AFTER INSERT OR UPDATE OR DELETE ON ops.model_aliases
FOR EACH ROW EXECUTE FUNCTION ops.note_alias_change();

CREATE FUNCTION ops.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is only added to', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END;
$$;
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.model_alias_changes
FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change();
