package serverauth

import (
	"cmp"
	"time"

	"github.com/picoauth/picoauth/clientauth/verify"
)

// SettingsSection is the name of the configuration section of this package.
const SettingsSection = "server_auth"

// ServerAuthSettings is the configuration section server_auth. The keys of durations have the unit in their name; the methods
// return them as a time.Duration.
type ServerAuthSettings struct {
	// Issuer is the `iss` of every token, a URL without a trailing slash (RFC 8414, section 2).
	Issuer string `koanf:"issuer"`
	// Audience is the `aud` of access tokens (RFC 9068, section 2.2). The token of an OAuth client can have another.
	Audience string `koanf:"audience"`
	// ClientID is the `client_id` of access tokens, except those of an OAuth client. Empty: the audience.
	ClientID string `koanf:"client_id"`
	// Algorithm signs new access tokens: RS256, ES256, EdDSA, ML-DSA-44, ML-DSA-65 or ML-DSA-87.
	Algorithm string `koanf:"algorithm"`

	AccessTokenExpireMinutes int `koanf:"access_token_expire_minutes"`
	RefreshTokenExpireDays   int `koanf:"refresh_token_expire_days"`
	SessionMaxDays           int `koanf:"session_max_days"`
	RefreshGraceSeconds      int `koanf:"refresh_grace_seconds"`
	ChallengeTTLSeconds      int `koanf:"challenge_ttl_seconds"`
	// MessageTTLSeconds is the lifetime of a challenge with a message, which a person has to read first.
	MessageTTLSeconds int `koanf:"message_ttl_seconds"`
	// ClockSkewSeconds is by how much the clocks of servers and clients may differ.
	ClockSkewSeconds int `koanf:"clock_skew_seconds"`

	// Storage (storage_url) is where all state is stored: memory:, sqlite:path, postgres://… or redis://…; the program must
	// contain that backend. Unset: SQLite in DataDir, or memory if that is unset too. The following URLs override it for one
	// kind of state each.
	Storage           string `koanf:"storage_url"`
	ChallengeStorage  string `koanf:"challenge_storage_url"`
	SessionStorage    string `koanf:"session_storage_url"`
	RevocationStorage string `koanf:"revocation_storage_url"`
	MintStorage       string `koanf:"mint_storage_url"`
	KeyStorage        string `koanf:"key_storage_url"`
	// LinkStorage is for the links between wallets and subjects. Unset: Storage, or SessionStorage if Storage is memory.
	LinkStorage string `koanf:"link_storage_url"`
	// DataDir is the folder of the SQLite file and of the key files.
	DataDir string `koanf:"data_dir"`

	// KeyDir is a folder for the signing keys. Empty: they are in the folder keys of DataDir or beside the SQLite file, in another
	// database, or in memory. KeyEncryptionKey, 32 bytes as hex or base64, encrypts them.
	KeyDir           string `koanf:"key_dir"`
	KeyEncryptionKey string `koanf:"key_encryption_key"`
	// ConsoleEnabled turns on the pages of the console, if the program contains package console.
	ConsoleEnabled bool `koanf:"console_enabled"`

	// KeyRotationDays is the interval in days at which the signing key is replaced; 0: only on request.
	KeyRotationDays int `koanf:"key_rotation_days"`

	// AutoCreateAdmin turns on POST /login for AdminEmail. AdminPassword is plain or a PHC string (argon2id, bcrypt).
	AutoCreateAdmin bool   `koanf:"auto_create_admin"`
	AdminEmail      string `koanf:"admin_email"`
	AdminPassword   string `koanf:"admin_password"`
	AdminRole       string `koanf:"admin_role"`

	// Subjects lists role, groups and other claims of subjects, by address or e-mail. SubjectsFile is a YAML file with the same
	// list under subjects, which is read again when it changes. ClaimsURL returns claims too: it gets a POST that is signed with
	// ClaimsSecret.
	Subjects     []SubjectEntry `koanf:"subjects"`
	SubjectsFile string         `koanf:"subjects_file"`
	ClaimsURL    string         `koanf:"claims_url"`
	ClaimsSecret string         `koanf:"claims_secret"`

	// OperatorRoles are the roles that may revoke, introspect, list mints and all sessions, and manage keys. An empty list allows
	// nobody.
	OperatorRoles []string `koanf:"operator_roles"`

	// FleetMintSecret is the secret that POST /fleet/sessions requires; empty turns that endpoint off.
	FleetMintSecret        string   `koanf:"fleet_mint_secret"`
	FleetSessionTTLSeconds int      `koanf:"fleet_session_ttl_seconds"`
	FleetMaxTTLSeconds     int      `koanf:"fleet_max_ttl_seconds"`
	FleetRoles             []string `koanf:"fleet_roles"`

	// MintAuditMinTTLSeconds is the minimum lifetime of tokens that the mint audit records.
	MintAuditMinTTLSeconds int `koanf:"mint_audit_min_ttl_seconds"`

	// SupportedWalletAlgorithms is the allow-list of built-in wallet algorithms; an empty list allows none of them. Schemes that the
	// app adds are always allowed.
	SupportedWalletAlgorithms []string `koanf:"supported_wallet_algorithms"`

	// AllowedDomains are the sites that users may sign in to with a message, each [scheme://]host[:port]. Unset: that of the
	// issuer. An empty list allows none.
	AllowedDomains []string `koanf:"allowed_domains"`
	// AllowedChains are the CAIP-2 chains that a message may name, for each namespace the preferred one first.
	AllowedChains []string `koanf:"allowed_chains"`
	// Statement is a sentence in the message, for the person who signs; empty: none.
	Statement string `koanf:"statement"`
	// RequireMessage refuses the signature of a nonce without a message, for an address that belongs to a chain.
	RequireMessage bool `koanf:"require_message"`
	// AllowUnchecksummedAddresses accepts an Ethereum address without its EIP-55 checksum inside a message.
	AllowUnchecksummedAddresses bool `koanf:"allow_unchecksummed_addresses"`

	// DPoPAlgorithms are the allowed algorithms of the DPoP proofs (RFC 9449) that bind tokens to a client's key. An empty list
	// refuses every proof.
	DPoPAlgorithms []string `koanf:"dpop_algorithms"`

	// EthereumRPCURLs are JSON-RPC endpoints for contract wallets, each eip155:N=URL; several of one chain are tried in order.
	// Unset: contract wallets cannot sign in.
	EthereumRPCURLs []string `koanf:"ethereum_rpc_urls"`
	// EthereumCallsPerMinute is the limit of such calls for one client. The limit for all clients together is twenty times as high.
	EthereumCallsPerMinute int `koanf:"ethereum_calls_per_minute"`
	// ContractWalletRecheckSeconds is the time after which a refresh asks the chain again whether a contract wallet's signature is
	// valid.
	ContractWalletRecheckSeconds int `koanf:"contract_wallet_recheck_seconds"`

	// RateLimitPerMinute is the limit of requests for each limited endpoint and client address, or session for a refresh; 0: no limit.
	RateLimitPerMinute int `koanf:"rate_limit_per_minute"`
}

// DefaultServerAuthSettings returns the default settings.
func DefaultServerAuthSettings() ServerAuthSettings {
	return ServerAuthSettings{
		Issuer:                    "http://localhost:8100",
		Audience:                  "pico",
		Algorithm:                 "RS256",
		AccessTokenExpireMinutes:  15,
		RefreshTokenExpireDays:    7,
		SessionMaxDays:            90,
		RefreshGraceSeconds:       30,
		ChallengeTTLSeconds:       60,
		MessageTTLSeconds:         300,
		ClockSkewSeconds:          60,
		AdminEmail:                "admin@pico.local",
		AdminRole:                 "admin",
		OperatorRoles:             []string{"operator", "admin"},
		FleetSessionTTLSeconds:    86400,
		FleetMaxTTLSeconds:        7776000,
		FleetRoles:                []string{"agent", "worker", "service"},
		MintAuditMinTTLSeconds:    300,
		SupportedWalletAlgorithms: []string{"ML-DSA-65", "Ed25519", "secp256k1", "eip191"},
		AllowedChains:             []string{"eip155:1", "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"},
		RequireMessage:            true,
		DPoPAlgorithms:            verify.DefaultProofAlgorithms(),
		EthereumCallsPerMinute:    30,
		RateLimitPerMinute:        120,

		ContractWalletRecheckSeconds: 900,
	}
}

// AccessTokenTTL is the lifetime of an access token.
func (s ServerAuthSettings) AccessTokenTTL() time.Duration {
	return time.Duration(s.AccessTokenExpireMinutes) * time.Minute
}

// RefreshTokenTTL is the lifetime of a refresh token, and so of a session that is not refreshed.
func (s ServerAuthSettings) RefreshTokenTTL() time.Duration {
	return time.Duration(s.RefreshTokenExpireDays) * 24 * time.Hour
}

// SessionMax is the maximum lifetime of a session.
func (s ServerAuthSettings) SessionMax() time.Duration {
	return time.Duration(s.SessionMaxDays) * 24 * time.Hour
}

// RefreshGrace is the time after a refresh in which the previous refresh token gets the same reply again.
func (s ServerAuthSettings) RefreshGrace() time.Duration {
	return time.Duration(s.RefreshGraceSeconds) * time.Second
}

// ChallengeTTL is the lifetime of a challenge without a message.
func (s ServerAuthSettings) ChallengeTTL() time.Duration {
	return time.Duration(s.ChallengeTTLSeconds) * time.Second
}

// FleetSessionTTL is the lifetime of a fleet token if the request has none.
func (s ServerAuthSettings) FleetSessionTTL() time.Duration {
	return time.Duration(s.FleetSessionTTLSeconds) * time.Second
}

// FleetMaxTTL is the maximum lifetime of a fleet token.
func (s ServerAuthSettings) FleetMaxTTL() time.Duration {
	return time.Duration(s.FleetMaxTTLSeconds) * time.Second
}

// LongestTokenTTL is the maximum lifetime of an access token of any kind.
func (s ServerAuthSettings) LongestTokenTTL() time.Duration {
	if s.FleetMintSecret == "" {
		return s.AccessTokenTTL()
	}
	return max(s.AccessTokenTTL(), s.FleetMaxTTL())
}

// MintAuditMinTTL is the minimum lifetime of tokens that the mint audit records.
func (s ServerAuthSettings) MintAuditMinTTL() time.Duration {
	return time.Duration(s.MintAuditMinTTLSeconds) * time.Second
}

// KeyRotationInterval is the interval at which the signing key is replaced; 0: only on request.
func (s ServerAuthSettings) KeyRotationInterval() time.Duration {
	return time.Duration(s.KeyRotationDays) * 24 * time.Hour
}

// MessageTTL is the lifetime of a challenge with a message.
func (s ServerAuthSettings) MessageTTL() time.Duration {
	return time.Duration(s.MessageTTLSeconds) * time.Second
}

// ContractWalletRecheck is the time after which a refresh asks the chain again whether a contract wallet's signature is valid.
func (s ServerAuthSettings) ContractWalletRecheck() time.Duration {
	return time.Duration(s.ContractWalletRecheckSeconds) * time.Second
}

// ClockSkew is the maximum difference between clocks.
func (s ServerAuthSettings) ClockSkew() time.Duration {
	return time.Duration(s.ClockSkewSeconds) * time.Second
}

// ClientIDOrAudience is the `client_id` in tokens: ClientID, or the audience if that is empty.
func (s ServerAuthSettings) ClientIDOrAudience() string {
	return cmp.Or(s.ClientID, s.Audience)
}
