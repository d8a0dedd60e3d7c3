package serverauth

import (
	"cmp"
	"context"

	"github.com/picoauth/picoauth/serverauth/internal/contract"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// mayBeContract reports whether a contract wallet (EIP-1271) may have made a proof: one with a message of an Ethereum chain and
// the built-in scheme.
func (p walletProof) mayBeContract() bool {
	return p.scheme == wallet.EIP191() && p.text == textPlain && p.chain.Namespace == wallet.NamespaceEthereum
}

// unlessContract returns the refusal of a signature that no key made. It is called if no endpoint of the chain is configured: if
// the length shows that a contract wallet made the signature, the refusal says so. A signature with the length of a key's
// signature may be forged.
func (p walletProof) unlessContract(refusal error) error {
	problem := problemOf(refusal)
	if problem == nil || !p.mayBeContract() || len(p.signature) == 64 || len(p.signature) == 65 {
		return refusal
	}
	return hinted(contractsNotConfigured(p.chain), problem.Hint)
}

// proveOnChain verifies a signature that a contract wallet may have made. The signature of a key is verified here, without the
// network; the chain is asked only about others. The nonce is checked before the call and used up after the chain's answer: if
// there is no answer, it stays valid.
func (w *walletLogin) proveOnChain(ctx context.Context, proof walletProof, spend func() error) (store.Subject, error) {
	settle := spend
	if w.spendLate {
		settle = func() error { return nil }
	}
	if knower, ok := w.store.(store.NonceKnower); ok && !isOwnNonce(knower, proof) { // before any cryptography
		if err := peekNonce(ctx, w.store, proof); err != nil {
			return store.Subject{}, err
		}
	}
	identity, refusal := w.verify(ctx, proof)
	if refusal == nil {
		return w.subject(proof, identity), settle()
	}
	if problemOf(refusal) == nil {
		return store.Subject{}, refusal
	}
	if wallet.IsSignedByKey(proof.address, proof.signed, proof.signature) {
		return store.Subject{}, cmp.Or(spend(), refusal)
	}
	if err := peekNonce(ctx, w.store, proof); err != nil {
		return store.Subject{}, err
	}
	subject := contractOf(proof)
	valid, err := w.contracts.IsValid(ctx, contract.Question{
		Chain: proof.chain, Address: proof.address.Ethereum(), Proof: proof.kept(subject), Client: token.ClientOf(ctx),
		Holds: func() bool { return w.sessions.Has(ctx, subject) },
	})
	switch {
	case err != nil:
		return store.Subject{}, err
	case !valid:
		return store.Subject{}, cmp.Or(spend(), error(signatureProblem(wallet.ErrInvalidSignature,
			"neither the key of this account nor its contract on "+proof.chain.String()+" accepts the signature for exactly these bytes of the message")))
	default:
		return subject, settle()
	}
}

// contractOf returns the subject of a contract wallet: its account on its chain.
func contractOf(proof walletProof) store.Subject {
	address := proof.address.Canonical()
	account := wallet.AccountID{Chain: proof.chain, Address: address}.String()
	return store.Subject{
		ID: account, Kind: store.KindWallet, Algorithm: proof.scheme.Algorithm(),
		Account: account, Address: address, WalletKind: store.WalletContract,
	}
}

// kept returns what a session has to store of a proof in order to ask the chain again; empty unless it is of a contract wallet.
func (p walletProof) kept(subject store.Subject) store.WalletProof {
	if subject.WalletKind != store.WalletContract {
		return store.WalletProof{}
	}
	return store.WalletProof{Message: string(p.signed), Signature: string(p.signature)}
}

// recheckContract returns a function that reports whether a contract wallet still accepts the signature with which a session
// began. If the chain gives no answer or the limit of calls is used up, the error is an *app.Problem.
func recheckContract(wallets *contract.Wallets) func(context.Context, store.Subject, store.WalletProof) (bool, error) {
	return func(ctx context.Context, subject store.Subject, proof store.WalletProof) (bool, error) {
		account, err := wallet.ParseAccountID(subject.Account)
		if err != nil {
			return false, err
		}
		address, err := wallet.ParseEthereumAddress(account.Address)
		if err != nil {
			return false, err
		}
		holds, err := wallets.IsValid(ctx, contract.Question{Chain: account.Chain, Address: address, Proof: proof, Client: token.ClientOf(ctx), Holds: func() bool { return true }})
		if problem := problemOf(err); problem != nil {
			err = problem
		}
		return holds, err
	}
}
