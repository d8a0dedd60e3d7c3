-- What a token was made for. Every revocation of a subject asks when the last token of all expires.
ALTER TABLE picoauth_mint ADD COLUMN client_id BYTEA;
ALTER TABLE picoauth_mint ADD COLUMN request_id BYTEA;
ALTER TABLE picoauth_mint ADD COLUMN client BYTEA;
CREATE INDEX picoauth_mint_expires ON picoauth_mint (expires_at);
