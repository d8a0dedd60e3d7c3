-- The schema of all databases, in the words of PostgreSQL; for SQLite BYTEA is BLOB, BIGINT is INTEGER, and what stands
-- in /* */ counts. Text is kept as bytes, since clients choose some of it and PostgreSQL's TEXT takes no NUL; an empty
-- text is NULL. What a client chooses is looked up by a hash, since an index takes no long values. Times are Unix
-- milliseconds (_ms) or seconds.

-- The nonces that were spent. An id begins with its expiry, so that the oldest come first.
CREATE TABLE picoauth_challenge_spent (
	id BYTEA PRIMARY KEY
) /* WITHOUT ROWID */;

CREATE TABLE picoauth_session (
	id BYTEA PRIMARY KEY,
	subject BYTEA,
	kind BYTEA,
	algorithm BYTEA,
	wallet_id BYTEA,
	account BYTEA,
	credential BYTEA,
	counter BIGINT NOT NULL,
	started_ms BIGINT NOT NULL,
	rotated_ms BIGINT NOT NULL,
	expires_ms BIGINT NOT NULL,
	ends_ms BIGINT NOT NULL,
	subject_hash BIGINT,
	wallet_hash BIGINT
) /* WITHOUT ROWID */;
CREATE INDEX picoauth_session_subject ON picoauth_session (subject_hash);
CREATE INDEX picoauth_session_wallet ON picoauth_session (wallet_hash) WHERE wallet_hash IS NOT NULL;
CREATE INDEX picoauth_session_expires ON picoauth_session (expires_ms);

-- As of when sessions of a subject or wallet were ended; id is a SHA-256.
CREATE TABLE picoauth_session_cut_off (
	id BYTEA PRIMARY KEY,
	at_ms BIGINT NOT NULL
) /* WITHOUT ROWID */;

-- The denylist in the order of commits. once is the SHA-256 of what an item that is added once is known by.
CREATE TABLE picoauth_revocation (
	seq BIGINT PRIMARY KEY,
	once BYTEA UNIQUE,
	jti BYTEA,
	sid BYTEA,
	sub BYTEA,
	kid BYTEA,
	revoked_at BIGINT NOT NULL,
	reason BYTEA,
	revoked_by BYTEA,
	expires_at BIGINT NOT NULL
);
CREATE INDEX picoauth_revocation_expires ON picoauth_revocation (expires_at, seq);

-- One row: the last sequence number, and the highest that is gone, from the microseconds of the clock on. Whoever adds holds it until the commit.
CREATE TABLE picoauth_revocation_head (
	one BIGINT PRIMARY KEY CHECK (one = 1),
	seq BIGINT NOT NULL,
	pruned BIGINT NOT NULL
);
INSERT INTO picoauth_revocation_head (one, seq, pruned) VALUES (1, {now}000, {now}000);

-- The mint audit.
CREATE TABLE picoauth_mint (
	seq BIGINT PRIMARY KEY,
	mac BYTEA NOT NULL,
	jti BYTEA,
	subject BYTEA,
	role BYTEA,
	issued_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	kind BYTEA,
	scope BYTEA,
	agent_id BYTEA,
	session_id BYTEA,
	wallet_id BYTEA,
	lost BIGINT NOT NULL,
	pruned BIGINT NOT NULL,
	seal BYTEA NOT NULL,
	jti_hash BIGINT,
	session_hash BIGINT,
	subject_hash BIGINT,
	wallet_hash BIGINT
);
CREATE INDEX picoauth_mint_jti ON picoauth_mint (jti_hash) WHERE jti_hash IS NOT NULL;
CREATE INDEX picoauth_mint_session ON picoauth_mint (session_hash, expires_at) WHERE session_hash IS NOT NULL;
CREATE INDEX picoauth_mint_subject ON picoauth_mint (subject_hash, expires_at) WHERE subject_hash IS NOT NULL;
CREATE INDEX picoauth_mint_wallet ON picoauth_mint (wallet_hash, expires_at) WHERE wallet_hash IS NOT NULL;

-- Signing keys and shared secrets, sealed by key_encryption_key. A damaged one is set aside: the time in milliseconds.
CREATE TABLE picoauth_key (
	id TEXT NOT NULL,
	aside_ms BIGINT NOT NULL,
	record BYTEA NOT NULL,
	PRIMARY KEY (id, aside_ms)
);

-- One row: it changes with every change of the keys.
CREATE TABLE picoauth_key_version (
	one BIGINT PRIMARY KEY CHECK (one = 1),
	version BIGINT NOT NULL
);
INSERT INTO picoauth_key_version (one, version) VALUES (1, 1);

-- What all instances share beside the keys, such as the key of the challenges.
CREATE TABLE picoauth_secret (
	name TEXT PRIMARY KEY,
	record BYTEA NOT NULL
);
