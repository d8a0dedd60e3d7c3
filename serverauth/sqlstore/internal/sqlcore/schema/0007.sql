-- Whose wallet is whose, in a row a wallet. The id is the SHA-256 of the wallet.
CREATE TABLE picoauth_link (
	id BYTEA PRIMARY KEY,
	wallet BYTEA,
	algorithm BYTEA,
	wallet_id BYTEA,
	account BYTEA,
	wallet_address BYTEA,
	wallet_kind BYTEA,
	subject BYTEA,
	subject_hash BIGINT,
	linked_ms BIGINT NOT NULL,
	left_ms BIGINT NOT NULL,
	version BYTEA,
	mac BYTEA
) /* WITHOUT ROWID */;
CREATE INDEX picoauth_link_subject ON picoauth_link (subject_hash);
