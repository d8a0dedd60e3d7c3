package serverauth

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// Validate reports every value that the server cannot run with, each with its key.
func (s ServerAuthSettings) Validate() error {
	return errors.Join(
		s.validateIssuer(),
		app.CheckNotEmpty("audience", s.Audience),
		app.CheckOneOf("algorithm", s.Algorithm, keys.Algorithms()...),
		app.CheckRange("access_token_expire_minutes", s.AccessTokenExpireMinutes, 1, 30*24*60),
		app.CheckRange("refresh_token_expire_days", s.RefreshTokenExpireDays, 1, 3650),
		app.CheckRange("session_max_days", s.SessionMaxDays, 1, 3650),
		app.CheckRange("refresh_grace_seconds", s.RefreshGraceSeconds, 0, 300),
		app.CheckRange("challenge_ttl_seconds", s.ChallengeTTLSeconds, 1, 3600),
		app.CheckRange("message_ttl_seconds", s.MessageTTLSeconds, 1, 3600),
		app.CheckRange("clock_skew_seconds", s.ClockSkewSeconds, 0, 600),
		app.CheckRange("key_rotation_days", s.KeyRotationDays, 0, 3650),
		app.CheckRange("fleet_session_ttl_seconds", s.FleetSessionTTLSeconds, 60, maxFleetTTLSeconds),
		app.CheckRange("fleet_max_ttl_seconds", s.FleetMaxTTLSeconds, 60, maxFleetTTLSeconds),
		app.CheckRange("mint_audit_min_ttl_seconds", s.MintAuditMinTTLSeconds, 0, maxFleetTTLSeconds),
		app.CheckRange("rate_limit_per_minute", s.RateLimitPerMinute, 0, 1_000_000),
		checkStorageURL("storage_url", s.Storage),
		checkStorageURL("challenge_storage_url", s.ChallengeStorage),
		checkStorageURL("session_storage_url", s.SessionStorage),
		checkStorageURL("revocation_storage_url", s.RevocationStorage),
		checkStorageURL("mint_storage_url", s.MintStorage),
		checkStorageURL("key_storage_url", s.KeyStorage),
		s.validateFleetRoles(),
		s.validateMessages(),
		s.validateAdmin(),
	)
}

func (s ServerAuthSettings) validateIssuer() error {
	u, err := url.Parse(s.Issuer)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(s.Issuer, "/") {
		return &app.ConfigError{Key: "issuer", Reason: fmt.Sprintf(
			"%q is not an http or https URL without query, fragment and trailing slash", s.Issuer)}
	}
	return nil
}

// maxFleetTTLSeconds bounds the life of a fleet token by configuration: a year.
const maxFleetTTLSeconds = 366 * 24 * 60 * 60

// validateFleetRoles keeps the holder of the fleet secret from minting an operator.
func (s ServerAuthSettings) validateFleetRoles() error {
	for _, role := range s.FleetRoles {
		if role == s.AdminRole || slices.Contains(s.OperatorRoles, role) {
			return &app.ConfigError{Key: "fleet_roles", Reason: fmt.Sprintf("%q is also an operator or admin role", role)}
		}
	}
	return nil
}

func (s ServerAuthSettings) validateAdmin() error {
	if !s.AutoCreateAdmin {
		return nil
	}
	_, err := newPasswordCheck(s.AdminPassword)
	return errors.Join(
		app.CheckNotEmpty("admin_email", s.AdminEmail),
		app.CheckNotEmpty("admin_role", s.AdminRole),
		err,
	)
}

// validateMessages reads what messages are checked against, and makes one.
func (s ServerAuthSettings) validateMessages() error {
	policy, err := newMessagePolicy(s)
	if err != nil {
		return err
	}
	sample := wallet.Message{
		Account: wallet.Ed25519Algorithm, Domain: "example.org", Address: "00", URI: "https://example.org", Nonce: "00000000",
		IssuedAt: time.Unix(0, 0).UTC(), Statement: s.Statement,
	}
	if len(policy.Domains) > 0 {
		sample.Domain, sample.URI = policy.Domains[0].Host, policy.Domains[0].Origin()
	}
	if err := sample.Validate(); err != nil {
		return &app.ConfigError{Key: "statement", Reason: "must be one line of text without control characters"}
	}
	return nil
}
