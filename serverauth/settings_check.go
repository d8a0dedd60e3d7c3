package serverauth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// Validate checks all values. It returns an error that names the key of every invalid one.
func (s ServerAuthSettings) Validate() error {
	_, err := s.parse()
	return errors.Join(
		config.CheckTexts("", s, "statement"),
		config.CheckNotEmpty("audience", s.Audience),
		config.CheckOneValue("audience", s.Audience),
		config.CheckOneValue("client_id", s.ClientID),
		config.CheckOneValue("admin_email", s.AdminEmail),
		config.CheckOneValue("admin_role", s.AdminRole),
		s.validateFleetSecret(),
		s.validateOperatorRoles(),
		config.CheckOneOf("algorithm", s.Algorithm, keys.Algorithms()...),
		config.CheckRange("access_token_expire_minutes", s.AccessTokenExpireMinutes, 1, int(token.LongestSignIn/time.Minute)),
		config.CheckRange("refresh_token_expire_days", s.RefreshTokenExpireDays, 1, 3650),
		config.CheckRange("session_max_days", s.SessionMaxDays, 1, 3650),
		config.CheckRange("refresh_grace_seconds", s.RefreshGraceSeconds, 0, 300),
		config.CheckRange("challenge_ttl_seconds", s.ChallengeTTLSeconds, 1, 3600),
		config.CheckRange("message_ttl_seconds", s.MessageTTLSeconds, 1, 3600),
		config.CheckRange("clock_skew_seconds", s.ClockSkewSeconds, 0, 600),
		config.CheckRange("key_rotation_days", s.KeyRotationDays, 0, 3650),
		config.CheckRange("fleet_session_ttl_seconds", s.FleetSessionTTLSeconds, 60, int(token.Longest/time.Second)),
		config.CheckRange("fleet_max_ttl_seconds", s.FleetMaxTTLSeconds, 60, int(token.Longest/time.Second)),
		config.CheckRange("mint_audit_min_ttl_seconds", s.MintAuditMinTTLSeconds, 0, int(token.Longest/time.Second)),
		config.CheckRange("rate_limit_per_minute", s.RateLimitPerMinute, 0, 1_000_000),
		config.CheckRange("ethereum_calls_per_minute", s.EthereumCallsPerMinute, 1, 1_000_000),
		config.CheckRange("contract_wallet_recheck_seconds", s.ContractWalletRecheckSeconds, 0, 86400),
		checkStorageURL("storage_url", s.Storage),
		checkStorageURL("challenge_storage_url", s.ChallengeStorage),
		checkStorageURL("session_storage_url", s.SessionStorage),
		checkStorageURL("revocation_storage_url", s.RevocationStorage),
		checkStorageURL("mint_storage_url", s.MintStorage),
		checkStorageURL("key_storage_url", s.KeyStorage),
		checkStorageURL("link_storage_url", s.LinkStorage),
		s.validateFleetRoles(),
		s.validateProofAlgorithms(),
		s.validateSubjects(),
		claims.CheckURL(s.ClaimsURL, s.ClaimsSecret),
		s.validateStatement(),
		s.validateChains(),
		s.validateWalletAlgorithms(),
		s.validateAdmin(),
		err,
	)
}

func (s ServerAuthSettings) validateProofAlgorithms() error {
	var all []error
	for i, algorithm := range s.DPoPAlgorithms {
		all = append(all, config.CheckOneOf(fmt.Sprintf("dpop_algorithms[%d]", i), algorithm, jose.Algorithms()...))
	}
	return errors.Join(all...)
}

// validateWalletAlgorithms refuses built-in algorithms that are spelled in another way. Any other name may be that of a scheme of
// the app's own, which is not known here; NewWalletVerifier refuses unknown names.
func (s ServerAuthSettings) validateWalletAlgorithms() error {
	letters := strings.NewReplacer("-", "", "_", "", " ", "")
	var all []error
	for i, name := range s.SupportedWalletAlgorithms {
		for _, scheme := range builtinSchemes() {
			if known := scheme.Algorithm(); name != known && strings.EqualFold(letters.Replace(name), letters.Replace(known)) {
				all = append(all, &config.Error{Key: fmt.Sprintf("supported_wallet_algorithms[%d]", i),
					Reason: fmt.Sprintf("unsupported wallet algorithm: %q; did you mean %q?", name, known)})
			}
		}
	}
	return errors.Join(all...)
}

// validateFleetRoles ensures that the holder of the fleet secret cannot issue tokens with an operator role.
func (s ServerAuthSettings) validateFleetRoles() error {
	for _, role := range s.FleetRoles {
		if role == s.AdminRole || slices.Contains(s.OperatorRoles, role) {
			return &config.Error{Key: "fleet_roles", Reason: fmt.Sprintf("%q is also an operator or admin role, which fleet tokens must not have", role)}
		}
	}
	return nil
}

func (s ServerAuthSettings) validateSubjects() error {
	err := claims.CheckEntries(s.Subjects)
	if s.SubjectsFile != "" {
		err = errors.Join(err, claims.CheckFile(s.SubjectsFile))
	}
	return err
}

// ValidateBuiltin is Validate for a program without wallet schemes and stores of its own: it also refuses subjects that are neither
// an e-mail address nor an address of a built-in scheme, and persistent keys without persistent sessions and revocations.
func (s ServerAuthSettings) ValidateBuiltin() error {
	err := claims.CheckEntriesOf(s.Subjects, hasAddressForm)
	if s.SubjectsFile != "" {
		err = errors.Join(err, claims.CheckFileOf(s.SubjectsFile, hasAddressForm))
	}
	if fault := (*config.Error)(nil); errors.As((&storage{settings: s}).checkLifetimes(s.KeyFolder()), &fault) {
		err = errors.Join(err, &config.Error{Key: strings.TrimPrefix(fault.Key, SettingsSection+"."), Reason: fault.Reason})
	}
	return errors.Join(s.Validate(), err)
}

// minFleetSecret is the minimum length of the fleet secret, in characters.
const minFleetSecret = 16

// validateFleetSecret refuses a secret that cannot be sent in a header, or is shorter than minFleetSecret.
func (s ServerAuthSettings) validateFleetSecret() error {
	if strings.ContainsFunc(s.FleetMintSecret, func(r rune) bool { return r < ' ' || r > '~' }) {
		return &config.Error{Key: "fleet_mint_secret", Reason: "has a character that is not allowed in an HTTP header"}
	}
	return config.CheckSecret("fleet_mint_secret", s.FleetMintSecret, minFleetSecret)
}

// validateOperatorRoles refuses the role that every wallet gets by default, as an operator role and as AdminRole.
func (s ServerAuthSettings) validateOperatorRoles() error {
	var all error
	for i, role := range s.OperatorRoles {
		if role == store.KindWallet {
			all = errors.Join(all, &config.Error{Key: fmt.Sprintf("operator_roles[%d]", i),
				Reason: fmt.Sprintf("%q is the role that every wallet gets by default", role)})
		}
	}
	if s.AdminRole == store.KindWallet {
		all = errors.Join(all, &config.Error{Key: "admin_role", Reason: fmt.Sprintf("%q is the role that every wallet gets by default", s.AdminRole)})
	}
	return all
}

func (s ServerAuthSettings) validateAdmin() error {
	if !s.AutoCreateAdmin {
		return nil
	}
	return errors.Join(config.CheckNotEmpty("admin_email", s.AdminEmail), config.CheckNotEmpty("admin_role", s.AdminRole))
}

// validateStatement checks the statement in a sample message.
func (s ServerAuthSettings) validateStatement() error {
	sample := wallet.Message{
		Account: wallet.Ed25519Algorithm, Domain: "example.org", Address: "00", URI: "https://example.org", Nonce: "00000000",
		IssuedAt: time.Unix(0, 0).UTC(), Statement: s.Statement,
	}
	if sample.Validate() != nil {
		return &config.Error{Key: "statement", Reason: "must be one line of text without control characters"}
	}
	return nil
}

// chainAddresses are addresses for sample messages, by the namespace of their chains.
var chainAddresses = map[string]wallet.Message{
	wallet.NamespaceEthereum: {Account: wallet.EthereumAccount, Address: "0x0000000000000000000000000000000000000001"},
	wallet.NamespaceSolana:   {Account: wallet.SolanaAccount, Address: "11111111111111111111111111111112"},
}

// validateChains makes a sample message for each chain, because with a chain that no message can name all sign-ins would fail.
func (s ServerAuthSettings) validateChains() error {
	var all error
	for i, text := range s.AllowedChains {
		chain, err := wallet.ParseAllowedChain(text)
		sample, ofChain := chainAddresses[chain.Namespace]
		if err != nil || !ofChain || chain.IsAny() {
			continue // parse refuses it, it is of a scheme of the app's own, or it is every chain
		}
		sample.Domain, sample.URI, sample.Chain, sample.Nonce, sample.IssuedAt = "example.org", "https://example.org", chain, "00000000", time.Unix(0, 0).UTC()
		if err := sample.Validate(); err != nil {
			all = errors.Join(all, &config.Error{Key: fmt.Sprintf("allowed_chains[%d]", i), Reason: fmt.Sprintf("%q is not a chain that a message can name", text)})
		}
	}
	return all
}
