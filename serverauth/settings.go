package serverauth

import "time"

// SettingsSection is the name of the configuration section of this package.
const SettingsSection = "server_auth"

// ServerAuthSettings is the configuration section server_auth. Integer keys carry their unit in their name; the
// methods of the same names give them as durations.
type ServerAuthSettings struct {
	// Issuer is the `iss` of every token, a URL without a trailing slash (RFC 8414, section 2).
	Issuer string `koanf:"issuer"`
	// Audience is the `aud` of every access token (RFC 9068, section 2.2).
	Audience string `koanf:"audience"`
	// ClientID is the `client_id` of every access token; empty stands for the audience.
	ClientID string `koanf:"client_id"`
	// Algorithm signs new access tokens: RS256, ES256, EdDSA, ML-DSA-44, ML-DSA-65 or ML-DSA-87.
	Algorithm string `koanf:"algorithm"`

	AccessTokenExpireMinutes int `koanf:"access_token_expire_minutes"`
	RefreshTokenExpireDays   int `koanf:"refresh_token_expire_days"`
	SessionMaxDays           int `koanf:"session_max_days"`
	RefreshGraceSeconds      int `koanf:"refresh_grace_seconds"`
	ChallengeTTLSeconds      int `koanf:"challenge_ttl_seconds"`
	// MessageTTLSeconds is the life of a challenge that came with a message, which a person has to read.
	MessageTTLSeconds int `koanf:"message_ttl_seconds"`
	// ClockSkewSeconds is by how much the clocks of servers and clients may differ.
	ClockSkewSeconds int `koanf:"clock_skew_seconds"`

	// Storage (storage_url) is where everything is kept: memory:, sqlite:path, postgres://… or redis://…, of which the
	// program must have the backend. Unset stands for SQLite in DataDir, or for memory where that is unset too. The
	// URLs below it are for single roles, where they are split.
	Storage           string `koanf:"storage_url"`
	ChallengeStorage  string `koanf:"challenge_storage_url"`
	SessionStorage    string `koanf:"session_storage_url"`
	RevocationStorage string `koanf:"revocation_storage_url"`
	MintStorage       string `koanf:"mint_storage_url"`
	KeyStorage        string `koanf:"key_storage_url"`
	// DataDir is the folder of the SQLite file and of the keys beside it.
	DataDir string `koanf:"data_dir"`

	// KeyDir keeps the signing keys in files; empty keeps them with the rest: in the folder keys of DataDir, in the
	// database, or in memory. KeyEncryptionKey, 32 bytes as hex or base64, encrypts them.
	KeyDir           string `koanf:"key_dir"`
	KeyEncryptionKey string `koanf:"key_encryption_key"`
	// KeyRotationDays is how often the signing key is replaced; 0: by hand only.
	KeyRotationDays int `koanf:"key_rotation_days"`

	// AutoCreateAdmin opens POST /login for AdminEmail; AdminPassword is plain or a PHC string (argon2id, bcrypt).
	AutoCreateAdmin bool   `koanf:"auto_create_admin"`
	AdminEmail      string `koanf:"admin_email"`
	AdminPassword   string `koanf:"admin_password"`
	AdminRole       string `koanf:"admin_role"`

	// OperatorRoles may revoke, introspect, and see and rotate keys; an empty list lets nobody.
	OperatorRoles []string `koanf:"operator_roles"`

	// FleetMintSecret opens POST /fleet/sessions to whoever sends it; empty closes it.
	FleetMintSecret        string   `koanf:"fleet_mint_secret"`
	FleetSessionTTLSeconds int      `koanf:"fleet_session_ttl_seconds"`
	FleetMaxTTLSeconds     int      `koanf:"fleet_max_ttl_seconds"`
	FleetRoles             []string `koanf:"fleet_roles"`

	// MintAuditMinTTLSeconds is the life from which on a token is recorded in the mint audit.
	MintAuditMinTTLSeconds int `koanf:"mint_audit_min_ttl_seconds"`

	// SupportedWalletAlgorithms is the allow-list of wallet algorithms; an empty list allows none.
	SupportedWalletAlgorithms []string `koanf:"supported_wallet_algorithms"`

	// AllowedDomains are the sites that people may sign in to with a message, each [scheme://]host[:port]. Unset stands
	// for the issuer's own; an empty list allows none.
	AllowedDomains []string `koanf:"allowed_domains"`
	// AllowedChains are the CAIP-2 chains that a message may name, for each namespace the preferred one first.
	AllowedChains []string `koanf:"allowed_chains"`
	// Statement is the sentence that a message shows to the person who signs; empty for none.
	Statement string `koanf:"statement"`
	// RequireMessage refuses a bare nonce from an address that belongs to a chain.
	RequireMessage bool `koanf:"require_message"`
	// AllowUnchecksummedAddresses accepts an Ethereum address without its EIP-55 checksum inside a message.
	AllowUnchecksummedAddresses bool `koanf:"allow_unchecksummed_addresses"`

	// RateLimitPerMinute bounds each anonymous POST endpoint for each client address; 0 turns the limit off.
	RateLimitPerMinute int `koanf:"rate_limit_per_minute"`
}

// DefaultServerAuthSettings returns the settings that hold where the configuration says nothing.
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
		RateLimitPerMinute:        120,
	}
}

// AccessTokenTTL is the life of an access token.
func (s ServerAuthSettings) AccessTokenTTL() time.Duration {
	return time.Duration(s.AccessTokenExpireMinutes) * time.Minute
}

// RefreshTokenTTL is how long a session lives without a refresh.
func (s ServerAuthSettings) RefreshTokenTTL() time.Duration {
	return time.Duration(s.RefreshTokenExpireDays) * 24 * time.Hour
}

// SessionMax is how long a session lives whatever happens.
func (s ServerAuthSettings) SessionMax() time.Duration {
	return time.Duration(s.SessionMaxDays) * 24 * time.Hour
}

// RefreshGrace is how long the previous refresh token still gets the current one.
func (s ServerAuthSettings) RefreshGrace() time.Duration {
	return time.Duration(s.RefreshGraceSeconds) * time.Second
}

// ChallengeTTL is the life of a challenge without a message.
func (s ServerAuthSettings) ChallengeTTL() time.Duration {
	return time.Duration(s.ChallengeTTLSeconds) * time.Second
}

// FleetSessionTTL is the life of a fleet token that asks for none.
func (s ServerAuthSettings) FleetSessionTTL() time.Duration {
	return time.Duration(s.FleetSessionTTLSeconds) * time.Second
}

// FleetMaxTTL is the longest life of a fleet token.
func (s ServerAuthSettings) FleetMaxTTL() time.Duration {
	return time.Duration(s.FleetMaxTTLSeconds) * time.Second
}

// LongestTokenTTL is the longest life that an access token of any kind can have.
func (s ServerAuthSettings) LongestTokenTTL() time.Duration {
	if s.FleetMintSecret == "" {
		return s.AccessTokenTTL()
	}
	return max(s.AccessTokenTTL(), s.FleetMaxTTL())
}

// MintAuditMinTTL is the life from which on a token is recorded.
func (s ServerAuthSettings) MintAuditMinTTL() time.Duration {
	return time.Duration(s.MintAuditMinTTLSeconds) * time.Second
}

// KeyRotationInterval is how often the signing key is replaced; 0 is never.
func (s ServerAuthSettings) KeyRotationInterval() time.Duration {
	return time.Duration(s.KeyRotationDays) * 24 * time.Hour
}

// MessageTTL is the life of a challenge with a message.
func (s ServerAuthSettings) MessageTTL() time.Duration {
	return time.Duration(s.MessageTTLSeconds) * time.Second
}

// ClockSkew is by how much clocks may differ.
func (s ServerAuthSettings) ClockSkew() time.Duration {
	return time.Duration(s.ClockSkewSeconds) * time.Second
}

// ClientIDOrAudience is the `client_id` that tokens carry.
func (s ServerAuthSettings) ClientIDOrAudience() string {
	if s.ClientID != "" {
		return s.ClientID
	}
	return s.Audience
}
