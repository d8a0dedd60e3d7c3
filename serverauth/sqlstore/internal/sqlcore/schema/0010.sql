-- Who acts for the subject of a token, and who acted before, as JSON.
ALTER TABLE picoauth_mint ADD COLUMN act BYTEA;
