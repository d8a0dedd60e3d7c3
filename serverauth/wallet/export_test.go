package wallet

// What the tests of this package ask of an address by its text.

func KindOf(text string) AddressKind { return read(text).Kind() }

func ChallengeAddress(text string) string { return read(text).Challenge() }

func AccountFor(algorithm, text string) string { return read(text).MessageAccount(algorithm) }

func IDOfAddress(text string) string { return read(text).WalletID() }

func HoldsKey(text string) bool { return read(text).HoldsKey() }

func SolanaKey(text string) (key []byte, ok bool) {
	key = read(text).SolanaKey()
	return key, key != nil
}

// OnRead has f told of every text that is read as an address, until undo.
func OnRead(f func(text string)) (undo func()) {
	onRead = f
	return func() { onRead = func(string) {} }
}
