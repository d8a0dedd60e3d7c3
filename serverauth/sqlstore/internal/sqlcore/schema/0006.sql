-- The key whose proof each refresh of a session needs.
ALTER TABLE picoauth_session ADD COLUMN key_thumbprint BYTEA;
