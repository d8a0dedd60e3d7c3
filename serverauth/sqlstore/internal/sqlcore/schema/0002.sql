-- Sessions are authenticated by the issuer: those of before are not, and end.
DELETE FROM picoauth_session;
ALTER TABLE picoauth_session ADD COLUMN client_id BYTEA;
ALTER TABLE picoauth_session ADD COLUMN request_id BYTEA;
ALTER TABLE picoauth_session ADD COLUMN client BYTEA;
ALTER TABLE picoauth_session ADD COLUMN user_agent BYTEA;
ALTER TABLE picoauth_session ADD COLUMN mac BYTEA;

-- For lists, newest first.
CREATE INDEX picoauth_session_started ON picoauth_session (started_ms, id);
