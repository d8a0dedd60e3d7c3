package onchain

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// validatorHex is the creation code of ValidateSigOffchain, the reference implementation of ERC-6492 (CC0). Followed by
// its arguments, it returns one byte instead of code: 1 if the signature is valid. If the signature contains a call of a
// factory, that deploys the wallet within the eth_call.
//
//go:embed validator.hex
var validatorHex string

var validatorCode = func() []byte {
	code, err := hex.DecodeString(strings.TrimSpace(validatorHex))
	if err != nil {
		panic("onchain: the compiled-in code of the validator contract is damaged: " + err.Error())
	}
	return code
}()

// minValidatorSignature is the minimum size in bytes of a signature for the validator, which reads the last 32.
const minValidatorSignature = 32

// isValidSignature is the selector of isValidSignature(bytes32,bytes), which is also its result for a valid signature (EIP-1271).
var isValidSignature = []byte{0x16, 0x26, 0xba, 0x7e}

// question is an eth_call and its result for a valid signature.
type question struct {
	to   []byte // nil: data is creation code
	data []byte
	yes  []byte
}

// ask returns the call that asks whether the contract at address accepts a signature of digest.
func ask(address [20]byte, digest [32]byte, signature []byte) question {
	if len(signature) < minValidatorSignature {
		data := append(bytes.Clone(isValidSignature), digest[:]...)
		return question{to: address[:], data: appendBytes(data, 2, signature), yes: append(bytes.Clone(isValidSignature), make([]byte, 28)...)}
	}
	data := append(bytes.Clone(validatorCode), make([]byte, 12)...)
	data = append(append(data, address[:]...), digest[:]...)
	return question{data: appendBytes(data, 3, signature), yes: []byte{1}}
}

// appendBytes appends a value of the ABI type bytes, the last of the given number of arguments.
func appendBytes(data []byte, arguments int, value []byte) []byte {
	data = appendWord(data, uint64(arguments)*32)
	data = appendWord(data, uint64(len(value)))
	data = append(data, value...)
	return append(data, make([]byte, (32-len(value)%32)%32)...)
}

func appendWord(data []byte, value uint64) []byte {
	return binary.BigEndian.AppendUint64(append(data, make([]byte, 24)...), value)
}
