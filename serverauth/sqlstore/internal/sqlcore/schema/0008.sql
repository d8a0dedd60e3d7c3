-- OAuth clients that were added while the server runs; until_ms is NULL for those that are never forgotten.
CREATE TABLE picoauth_client (
	id BYTEA PRIMARY KEY,
	data BYTEA NOT NULL,
	created_ms BIGINT NOT NULL,
	until_ms BIGINT,
	mac BYTEA NOT NULL
) /* WITHOUT ROWID */;
CREATE INDEX picoauth_client_until ON picoauth_client (until_ms) WHERE until_ms IS NOT NULL;

-- What serves once and was used; id is a SHA-256.
CREATE TABLE picoauth_used (
	id BYTEA PRIMARY KEY,
	until_ms BIGINT NOT NULL
) /* WITHOUT ROWID */;
CREATE INDEX picoauth_used_until ON picoauth_used (until_ms);
