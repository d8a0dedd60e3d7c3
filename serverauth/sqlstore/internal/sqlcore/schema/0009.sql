-- What something was used for.
ALTER TABLE picoauth_used ADD COLUMN note BYTEA;
