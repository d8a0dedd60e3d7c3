package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/argon2"
)

// Parameters of argon2id: the second recommendation of RFC 9106, section 4.
const (
	argonMemory  = 64 * 1024 // KiB
	argonTime    = 3
	argonThreads = 4
	argonSalt    = 16 // bytes
	argonHash    = 32 // bytes
)

// minPassword is the shortest password that the server accepts, in characters.
const minPassword = 8

func newHashPassword() *cobra.Command {
	return &cobra.Command{
		Use:   "hash-password",
		Short: "Print the argon2id hash of a password, for server_auth.admin_password",
		Long: "Asks for a password without showing it, or reads the first line of standard input, and prints its hash as a PHC string.\n" +
			"In a shell, put the hash in single quotes: it has dollar signs.",
		Example: "  picoauth hash-password\n  picoauth hash-password < password.txt",
		RunE: func(c *cobra.Command, _ []string) error {
			password, err := readPassword(c, "Password", true)
			if err != nil {
				return err
			}
			hash, err := hashPassword(password)
			if err != nil {
				return err
			}
			return say(c, map[string]string{"hash": hash}, "%s\n", hash)
		},
	}
}

// hashPassword returns the PHC string of a password of at least minPassword characters.
func hashPassword(password string) (string, error) {
	switch length := len([]rune(password)); {
	case length == 0:
		return "", errors.New("there is no password; type one, or give it as the first line of standard input")
	case length < minPassword:
		return "", fmt.Errorf("the password has %d characters and needs at least %d; choose a longer one", length, minPassword)
	}
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	hash := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, argonHash)
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads, encode(salt), encode(hash)), nil
}

func newSecret() *cobra.Command {
	return &cobra.Command{
		Use:   "secret",
		Short: "Print a new random secret of 256 bits as hex",
		Long: "Prints 32 random bytes as hex: a fleet_mint_secret, a claims_secret, or a key_encryption_key. Redirect it to a file, so that it\n" +
			"appears in no terminal and in no shell history.",
		Example: "  (umask 077; picoauth secret > fleet-secret)\n  export SERVER_AUTH__FLEET_MINT_SECRET_FILE=fleet-secret",
		RunE: func(c *cobra.Command, _ []string) error {
			secret := randomSecret()
			return say(c, map[string]string{"secret": secret}, "%s\n", secret)
		},
	}
}

func randomSecret() string {
	secret := make([]byte, 32)
	rand.Read(secret)
	return hex.EncodeToString(secret)
}
