-- What a contract wallet signed in with, and when its chain was asked last.
ALTER TABLE picoauth_session ADD COLUMN wallet_address BYTEA;
ALTER TABLE picoauth_session ADD COLUMN wallet_kind BYTEA;
ALTER TABLE picoauth_session ADD COLUMN proof_message BYTEA;
ALTER TABLE picoauth_session ADD COLUMN proof_signature BYTEA;
ALTER TABLE picoauth_session ADD COLUMN checked_ms BIGINT NOT NULL DEFAULT 0;
