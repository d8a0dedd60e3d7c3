// Package audit implements the mint audit: a record of every access token that was issued, in a chain of keyed hashes.
//
// A [Recorder] collects records of tokens (mints) and appends them to a [Store] in batches. Each row has a MAC over itself and
// the row before it, made with a secret of the issuer. So somebody who can write to the database but does not have the secret
// cannot change, swap or remove a row without being detected. Rows of expired tokens are pruned: a checkpoint replaces them,
// and the chain remains verifiable. [Recorder.Verify] reads the chain and reports faults. The head of the chain is logged,
// because only a head that was kept elsewhere proves that the end of the chain was not cut off.
package audit
